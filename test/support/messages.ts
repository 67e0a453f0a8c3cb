/** Messages as the core takes and gives them. */
import { createHash } from 'node:crypto';
import { type RecordReader, RecordSource } from '../../src/core/log/record.js';

export interface Message {
  readonly exchange?: string;
  readonly routingKey?: string;
  /** Encoded; by default none are set. */
  readonly properties?: Uint8Array;
  readonly body?: string | Uint8Array;
  readonly persistent?: boolean;
  readonly priority?: number;
}

export interface ReadMessage {
  readonly position: number;
  /** The parts as `digest` shows them. */
  readonly route: string;
  readonly properties: string;
  readonly body: string;
  readonly redelivered: boolean;
}

const NO_PROPERTIES = Uint8Array.of(0, 0);

export function routeOf(exchange: string, routingKey: string): Uint8Array {
  const [name, key] = [Buffer.from(exchange), Buffer.from(routingKey)];
  return Buffer.concat([Buffer.of(name.length), name, Buffer.of(key.length), key]);
}

/** All parts lie within larger arrays, as they do in a chunk off the wire. */
export function sourceOf(message: Message): RecordSource {
  const { exchange = '', routingKey = 'q', properties = NO_PROPERTIES, body = '' } = message;
  const source = new RecordSource();
  const route = surrounded(routeOf(exchange, routingKey));
  [source.route, source.routeStart, source.routeEnd] = route;
  [source.properties, source.propertiesStart, source.propertiesEnd] = surrounded(properties);
  [source.body, source.bodyStart, source.bodyEnd] = surrounded(Buffer.from(body));
  source.persistent = message.persistent ?? false;
  source.priority = message.priority ?? 0;
  return source;
}

/** Short enough to compare and to print, whatever the size. */
export function digest(bytes: Uint8Array): string {
  if (bytes.length <= 64) return Buffer.from(bytes).toString('latin1');
  return `${bytes.length} bytes ${createHash('sha1').update(bytes).digest('base64')}`;
}

export function bodyOf(reader: RecordReader): Buffer {
  return Buffer.from(reader.body.subarray(reader.bodyStart, reader.bodyEnd));
}

export function readMessage(reader: RecordReader): ReadMessage {
  return {
    position: reader.position,
    route: digest(reader.bytes.subarray(reader.routeStart, reader.routeEnd)),
    properties: digest(reader.bytes.subarray(reader.propertiesStart, reader.propertiesEnd)),
    body: digest(bodyOf(reader)),
    redelivered: reader.redelivered,
  };
}

function surrounded(bytes: Uint8Array): [Uint8Array, number, number] {
  const whole = Buffer.alloc(bytes.length + 8, 0xaa);
  whole.set(bytes, 5);
  return [whole, 5, 5 + bytes.length];
}
