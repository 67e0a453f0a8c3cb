/** What routing looks at in a message that comes out of a log: its keys, the parts of its route, its properties. */
import { assertNever } from '../errors.js';
import type { RoutingProperty } from './exchange/exchange-type.js';
import { EMPTY_TABLE, type FieldTable, lookUp } from './field-value.js';
import type { Properties } from './ports/properties-codec.js';

/** Keys of the CC header. */
export function visibleKeys(headers: FieldTable = EMPTY_TABLE): string[] {
  const value = lookUp(headers, 'CC');
  if (value?.type !== 'A') return [];
  return value.value.flatMap((element) =>
    element.type === 'S' && typeof element.value === 'string' ? [element.value] : [],
  );
}

/** Short strings one behind the other: a length octet, then the bytes. */
export function shortstrs(bytes: Uint8Array, start: number, end: number): string[] {
  const texts: string[] = [];
  for (let at = start; at < end; ) {
    const textEnd = at + 1 + (bytes[at] ?? 0);
    texts.push(Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, textEnd - at - 1).toString());
    at = textEnd;
  }
  return texts;
}

/** Exchange and routing key as a record has them. */
export function routeOf(exchange: string, routingKey: string): Uint8Array {
  const [name, key] = [Buffer.from(exchange), Buffer.from(routingKey)];
  return Buffer.concat([Buffer.of(name.length), name, Buffer.of(key.length), key]);
}

export function routingProperty(properties: Properties, name: RoutingProperty): string | undefined {
  switch (name) {
    case 'correlation_id':
      return properties.correlationId;
    case 'message_id':
      return properties.messageId;
    case 'timestamp':
      return properties.timestamp?.toString();
    default:
      return assertNever(name);
  }
}
