/**
 * What a broker said in a step, as lines that can be compared: names without the prefix of the run, generated names by
 * the order in which they appeared, no delivery tags and no times. What RabbitMQ does not promise an order for is
 * sorted apart: channels, consumers, replies, returns and confirms each have a stream of lines in order. Tables are in
 * the order of their keys: 3.x sorts some, 4.x all (SEMANTICS 2.8).
 */
import { Buffer } from 'node:buffer';
import type { FieldTable, FieldValue } from '../../protocol/amqp/field-table.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import type { Item } from '../support/wire-inbox.js';

export interface Line {
  readonly stream: string;
  readonly text: string;
}

export class Names {
  readonly #prefix: string;
  readonly #generated = new Map<string, string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  normalised(text: string): string {
    return text.replaceAll(this.#prefix, '~').replace(/amq\.(gen|ctag)-[\w-]{22}/g, (name, kind: string) => {
      const known = this.#generated.get(name) ?? `amq.${kind}#${this.#generated.size}`;
      this.#generated.set(name, known);
      return known;
    });
  }
}

export function lineOf(channel: string, item: Item): Line {
  switch (item.name) {
    case 'basic.deliver':
      return {
        stream: `${channel} deliver ${item.consumerTag}`,
        text: `deliver ${item.consumerTag} ${messageText(item)}`,
      };
    case 'basic.get-ok':
      return { stream: `${channel} reply`, text: `get-ok left=${item.messageCount} ${messageText(item)}` };
    case 'basic.return':
      return {
        stream: `${channel} return`,
        text: `return ${item.replyCode} ${item.replyText} '${item.exchange}' '${item.routingKey}' ${contentText(item)}`,
      };
    case 'basic.cancel':
      return { stream: `${channel} cancel ${item.consumerTag}`, text: `cancel ${item.consumerTag}` };
    case 'channel.close':
    case 'connection.close':
      return {
        stream: `${channel} reply`,
        text: `${item.name} ${item.replyCode} ${item.classId},${item.methodId} ${item.replyText}`,
      };
    default:
      return { stream: `${channel} reply`, text: fieldsText(item) };
  }
}

/** Streams in order of their names, each in its own order. */
export function ordered(lines: readonly Line[]): string[] {
  return lines
    .toSorted((one, other) => (one.stream < other.stream ? -1 : one.stream > other.stream ? 1 : 0))
    .map(({ stream, text }) => `${stream.split(' ')[0]}: ${text}`);
}

function messageText(item: Item & { redelivered: boolean; exchange: string; routingKey: string }): string {
  const again = item.redelivered ? 'again' : 'first';
  return `${again} '${item.exchange}' '${item.routingKey}' ${contentText(item)}`;
}

function contentText({ properties = {}, body = Buffer.alloc(0) }: Item): string {
  return `${propertiesText(properties)} '${body.toString('latin1')}'`;
}

function propertiesText(properties: MessageProperties): string {
  const { headers, ...rest } = properties;
  const parts = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`);
  if (headers !== undefined) parts.push(`headers=${tableText(headers)}`);
  return `{${parts.join(' ')}}`;
}

function tableText(table: FieldTable): string {
  const entries = table.map(([key, value]) => `${key}:${valueText(value)}`);
  return `{${entries.toSorted().join(' ')}}`;
}

function valueText(value: FieldValue): string {
  switch (value.type) {
    case 'A':
      return `[${value.value.map(valueText).join(' ')}]`;
    case 'F':
      return tableText(value.value);
    case 'T':
      return 'T';
    case 'V':
      return 'V';
    case 'D':
      return `D${value.value}e-${value.scale}`;
    default:
      return `${value.type}'${value.value}'`;
  }
}

function fieldsText({ name, properties: _, body: __, ...fields }: Item): string {
  return `${name} ${JSON.stringify(fields, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))}`;
}
