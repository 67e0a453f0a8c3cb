/**
 * Definitions as the bytes that are kept of them, and what names the same entity. Pure.
 *
 *      0         1      2          4
 *      ┌─────────┬──────┬──────────┬──────────────────────────────────────────┐
 *      │ version │ kind │ reserved │ the definition as JSON, in UTF-8         │
 *      └─────────┴──────┴──────────┴──────────────────────────────────────────┘
 *
 * - `version`: of this layout and of the JSON's; 1.
 * - `kind`: see `KIND_CODES`. Not in the JSON again. `reserved`: 0.
 * - Arguments and bytes as in `field-json.ts`. Members that a reader does not know are not looked at.
 */
import * as layout from 'buffer-layout';
import type { Definition } from '../../core/ports/definition-store.js';
import { assertNever } from '../../errors.js';
import {
  bytesFromJson,
  bytesToJson,
  canonicalTable,
  listOf,
  notA,
  recordOf,
  tableFromJson,
  tableToJson,
  textOf,
} from './field-json.js';

export interface DefinitionHeader {
  version: number;
  kind: number;
  reserved: number;
}

export const definitionHeaderLayout = layout.struct<DefinitionHeader>([
  layout.u8('version'),
  layout.u8('kind'),
  layout.u16('reserved'),
]);

export const DEFINITION_VERSION = 1;

const KIND_CODES: Readonly<Record<Definition['kind'], number>> = {
  exchange: 1,
  queue: 2,
  binding: 3,
  'virtual-host': 4,
  user: 5,
  permission: 6,
};

type Fields = Readonly<Record<string, unknown>>;

const DECODERS: ReadonlyMap<number, (fields: Fields) => Definition> = new Map([
  [KIND_CODES.exchange, exchangeFrom],
  [KIND_CODES.queue, queueFrom],
  [KIND_CODES.binding, bindingFrom],
  [KIND_CODES['virtual-host'], virtualHostFrom],
  [KIND_CODES.user, userFrom],
  [KIND_CODES.permission, permissionFrom],
]);

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The same text for definitions of the same entity, whatever else they say. */
export function identityOf(definition: Definition): string {
  return JSON.stringify([definition.kind, ...identifyingParts(definition)]);
}

function identifyingParts(definition: Definition): readonly unknown[] {
  switch (definition.kind) {
    case 'exchange':
    case 'queue':
      return [definition.virtualHost, definition.name];
    case 'binding': {
      const { virtualHost, source, destinationKind, destination, routingKey, arguments: args } = definition;
      return [virtualHost, source, destinationKind, destination, routingKey, tableToJson(canonicalTable(args))];
    }
    case 'virtual-host':
    case 'user':
      return [definition.name];
    case 'permission':
      return [definition.user, definition.virtualHost];
    default:
      return assertNever(definition);
  }
}

export function encodeDefinition(definition: Definition): Uint8Array {
  const text = Buffer.from(JSON.stringify(fieldsOf(definition)));
  const bytes = Buffer.alloc(definitionHeaderLayout.span + text.length);
  const kind = KIND_CODES[definition.kind];
  definitionHeaderLayout.encode({ version: DEFINITION_VERSION, kind, reserved: 0 }, bytes);
  bytes.set(text, definitionHeaderLayout.span);
  return bytes;
}

function fieldsOf({ kind: _, ...fields }: Definition): Fields {
  if ('arguments' in fields) return { ...fields, arguments: tableToJson(fields.arguments) };
  if (!('passwordHash' in fields)) return fields;
  const { passwordHash } = fields;
  return { ...fields, passwordHash: passwordHash === undefined ? null : bytesToJson(passwordHash) };
}

/** Throws Error for a version or kind that this program does not know, and for a record that is damaged. */
export function decodeDefinition(bytes: Uint8Array): Definition {
  const { span } = definitionHeaderLayout;
  if (bytes.length < span) throw new Error(`definition record has ${bytes.length} bytes, its header alone ${span}`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { version, kind } = definitionHeaderLayout.decode(buffer);
  if (version !== DEFINITION_VERSION) {
    throw new Error(`definition record of version ${version}; this program knows version ${DEFINITION_VERSION}`);
  }
  const decode = DECODERS.get(kind);
  if (decode === undefined) throw new Error(`definition record of unknown kind ${kind}`);
  try {
    return decode(recordOf(JSON.parse(UTF8.decode(buffer.subarray(span)))));
  } catch (cause) {
    throw new Error(`definition record is damaged: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function exchangeFrom(fields: Fields): Definition {
  return {
    kind: 'exchange',
    ...namedFrom(fields),
    type: text(fields, 'type'),
    internal: flag(fields, 'internal'),
  };
}

function queueFrom(fields: Fields): Definition {
  // What was written before queues could have several has no such member.
  const logCount = fields['logCount'] === undefined ? 1 : number(fields, 'logCount');
  return { kind: 'queue', ...namedFrom(fields), id: number(fields, 'id'), logCount, type: text(fields, 'type') };
}

function namedFrom(fields: Fields) {
  return {
    virtualHost: text(fields, 'virtualHost'),
    name: text(fields, 'name'),
    autoDelete: flag(fields, 'autoDelete'),
    arguments: tableFromJson(fields['arguments']),
  };
}

function bindingFrom(fields: Fields): Definition {
  const destinationKind = text(fields, 'destinationKind');
  if (destinationKind !== 'queue' && destinationKind !== 'exchange') {
    throw notA("'queue' or 'exchange'", destinationKind);
  }
  return {
    kind: 'binding',
    virtualHost: text(fields, 'virtualHost'),
    source: text(fields, 'source'),
    destinationKind,
    destination: text(fields, 'destination'),
    routingKey: text(fields, 'routingKey'),
    arguments: tableFromJson(fields['arguments']),
  };
}

function virtualHostFrom(fields: Fields): Definition {
  return { kind: 'virtual-host', name: text(fields, 'name') };
}

function userFrom(fields: Fields): Definition {
  const hash = fields['passwordHash'];
  return {
    kind: 'user',
    name: text(fields, 'name'),
    tags: listOf(fields['tags']).map(textOf),
    passwordHash: hash === null ? undefined : bytesFromJson(hash),
  };
}

function permissionFrom(fields: Fields): Definition {
  return {
    kind: 'permission',
    user: text(fields, 'user'),
    virtualHost: text(fields, 'virtualHost'),
    configure: text(fields, 'configure'),
    write: text(fields, 'write'),
    read: text(fields, 'read'),
  };
}

function text(fields: Fields, name: string): string {
  return textOf(fields[name]);
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw notA('boolean', value);
  return value;
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw notA('number', value);
  return value;
}
