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
import type { JsonObject, JsonValue } from '../../core/json-value.js';
import type {
  Definition,
  PasswordHashing,
  PolicyDefinition,
  UserLimits,
  VirtualHostMetadata,
} from '../../core/ports/definition-store.js';
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
  policy: 7,
  'operator-policy': 8,
  parameter: 9,
  'global-parameter': 10,
  'topic-permission': 11,
};

type Fields = Readonly<Record<string, unknown>>;

const DECODERS: ReadonlyMap<number, (fields: Fields) => Definition> = new Map([
  [KIND_CODES.exchange, exchangeFrom],
  [KIND_CODES.queue, queueFrom],
  [KIND_CODES.binding, bindingFrom],
  [KIND_CODES['virtual-host'], virtualHostFrom],
  [KIND_CODES.user, userFrom],
  [KIND_CODES.permission, permissionFrom],
  [KIND_CODES.policy, (fields) => policyFrom('policy', fields)],
  [KIND_CODES['operator-policy'], (fields) => policyFrom('operator-policy', fields)],
  [KIND_CODES.parameter, parameterFrom],
  [KIND_CODES['global-parameter'], globalParameterFrom],
  [KIND_CODES['topic-permission'], topicPermissionFrom],
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
    case 'policy':
    case 'operator-policy':
      return [definition.virtualHost, definition.name];
    case 'binding': {
      const { virtualHost, source, destinationKind, destination, routingKey, arguments: args } = definition;
      return [virtualHost, source, destinationKind, destination, routingKey, tableToJson(canonicalTable(args))];
    }
    case 'virtual-host':
    case 'user':
    case 'global-parameter':
      return [definition.name];
    case 'parameter':
      return [definition.virtualHost, definition.component, definition.name];
    case 'topic-permission':
      return [definition.user, definition.virtualHost, definition.exchange];
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
    ...(fields['logId'] === undefined ? {} : { logId: number(fields, 'logId') }),
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

/** What came later than the first data directories may be missing, here and in users. */
function virtualHostFrom(fields: Fields): Definition {
  const { metadata } = fields;
  return {
    kind: 'virtual-host',
    name: text(fields, 'name'),
    ...(metadata !== undefined && { metadata: metadataFrom(recordOf(metadata)) }),
  };
}

function metadataFrom(fields: Fields): VirtualHostMetadata {
  const { defaultQueueType } = fields;
  return {
    description: text(fields, 'description'),
    tags: listOf(fields['tags']).map(textOf),
    defaultQueueType: defaultQueueType === undefined ? undefined : textOf(defaultQueueType),
  };
}

function userFrom(fields: Fields): Definition {
  const { passwordHash: hash, hashing, limits } = fields;
  return {
    kind: 'user',
    name: text(fields, 'name'),
    tags: listOf(fields['tags']).map(textOf),
    passwordHash: hash === null ? undefined : bytesFromJson(hash),
    ...(hashing !== undefined && { hashing: hashingFrom(hashing) }),
    ...(limits !== undefined && { limits: limitsFrom(recordOf(limits)) }),
  };
}

function hashingFrom(name: unknown): PasswordHashing {
  if (name === 'sha256' || name === 'sha512' || name === 'md5') return name;
  throw notA('hashing algorithm', name);
}

function limitsFrom(fields: Fields): UserLimits {
  const { maxConnections, maxChannels } = fields;
  return {
    ...(maxConnections !== undefined && { maxConnections: number(fields, 'maxConnections') }),
    ...(maxChannels !== undefined && { maxChannels: number(fields, 'maxChannels') }),
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

function topicPermissionFrom(fields: Fields): Definition {
  return {
    kind: 'topic-permission',
    user: text(fields, 'user'),
    virtualHost: text(fields, 'virtualHost'),
    exchange: text(fields, 'exchange'),
    write: text(fields, 'write'),
    read: text(fields, 'read'),
  };
}

function policyFrom(kind: PolicyDefinition['kind'], fields: Fields): Definition {
  return {
    kind,
    virtualHost: text(fields, 'virtualHost'),
    name: text(fields, 'name'),
    pattern: text(fields, 'pattern'),
    definition: objectOf(jsonOf(fields['definition'])),
    priority: number(fields, 'priority'),
    applyTo: text(fields, 'applyTo'),
  };
}

function parameterFrom(fields: Fields): Definition {
  return {
    kind: 'parameter',
    virtualHost: text(fields, 'virtualHost'),
    component: text(fields, 'component'),
    name: text(fields, 'name'),
    value: jsonOf(fields['value']),
  };
}

function globalParameterFrom(fields: Fields): Definition {
  return { kind: 'global-parameter', name: text(fields, 'name'), value: jsonOf(fields['value']) };
}

/** Whatever JSON holds, but not nothing. */
function jsonOf(value: unknown): JsonValue {
  if (value === undefined) throw notA('value', value);
  // It comes from JSON.parse.
  return value as JsonValue;
}

function objectOf(value: JsonValue): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notA('record', value);
  // Neither list nor null.
  return value as JsonObject;
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
