/**
 * Basic properties, for the few things in the core that look into them or change them. Their canonical form is AMQP's,
 * because RabbitMQ's semantics are defined on it; the core gets the codec from the composition root.
 */
import type { FieldTable } from '../field-value.js';

/** Those that the core knows; the others come along. */
export interface Properties {
  headers?: FieldTable;
  correlationId?: string;
  deliveryMode?: number;
  expiration?: string;
  messageId?: string;
  timestamp?: bigint;
}

export interface PropertiesCodec {
  decode(bytes: Uint8Array, start: number, end: number): Properties;
  encode(properties: Properties): Uint8Array;
}
