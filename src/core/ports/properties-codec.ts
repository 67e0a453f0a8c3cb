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

/** Where in the target a copy ends, and where the number in it begins. */
export interface CopyPlaces {
  end: number;
  numberAt: number;
}

export interface PropertiesCodec {
  decode(bytes: Uint8Array, start: number, end: number): Properties;
  encode(properties: Properties): Uint8Array;
  /** The value of a header that is a string, one character a byte; undefined when there is no such. */
  textHeader(bytes: Uint8Array, start: number, end: number, key: Uint8Array): string | undefined;
  /**
   * Writes encoded properties to `target` at `at`, with a header of 64 bits, big-endian, in front of the others and instead
   * of those of its name. That takes up to 18 bytes more, and the key's.
   */
  copyWithLong(
    bytes: Uint8Array,
    start: number,
    end: number,
    key: Uint8Array,
    value: number,
    target: Uint8Array,
    at: number,
    places: CopyPlaces,
  ): void;
}
