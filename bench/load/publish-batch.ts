/**
 * Publishes encoded beforehand, in a ring: message n of a producer is slot n modulo the ring's length. Sending some is
 * to write sequence and time into their bodies and the bytes to the socket; nothing is made for a message.
 */
import { writeBasicPublish } from '../../protocol/amqp/methods.gen.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import { writeContent } from './content-frames.js';
import { SEQUENCE_BYTES, STAMP_BYTES, StampAt, TWO_TO_32, templateBody } from './stamp.js';

/** About what one write takes. */
const WRITE_BYTES = 64 * 1024;
const LARGEST_RING_BYTES = 512 * 1024 * 1024;
const HEADER_FRAME_BYTES = 7 + 12 + 1;
const FRAME_HEADER_BYTES = 7;

export interface MessageShape {
  readonly channel: number;
  readonly exchange: string;
  /** By turns. */
  readonly routingKeys: readonly string[];
  /** By turns. */
  readonly sizesBytes: readonly number[];
  readonly persistent: boolean;
  readonly mandatory: boolean;
  readonly producer: number;
  readonly run: number;
  readonly frameMax: number;
}

export class PublishBatch {
  readonly slots: number;
  /** The most messages of one write. */
  readonly most: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where each message's frames begin, and behind the last where they end. */
  readonly #starts: Float64Array;
  readonly #bodies: Float64Array;
  readonly #sizes: readonly number[];
  readonly #allStamped: boolean;

  constructor(shape: MessageShape) {
    const { sizesBytes, routingKeys } = shape;
    const cycle = leastCommonMultiple(sizesBytes.length, routingKeys.length);
    const bytesPerCycle = cycle * (sizesBytes.reduce((sum, size) => sum + size, 0) / sizesBytes.length + 60);
    if (bytesPerCycle > LARGEST_RING_BYTES) {
      throw new RangeError(
        `${cycle} combinations of sizes and routing keys take ${Math.round(bytesPerCycle / 1e6)} MB`,
      );
    }
    this.slots = cycle * Math.max(1, Math.floor(WRITE_BYTES / bytesPerCycle));
    this.#starts = new Float64Array(this.slots + 1);
    this.#bodies = new Float64Array(this.slots);
    this.#sizes = sizesBytes;
    this.#allStamped = sizesBytes.every((size) => size >= STAMP_BYTES);
    const writer = new ByteWriter(WRITE_BYTES);
    this.#encode(writer, shape);
    this.#bytes = writer.finished();
    this.#view = new DataView(this.#bytes.buffer);
    this.most = Math.max(1, Math.floor((WRITE_BYTES * this.slots) / this.#bytes.length));
  }

  /** How many of `wanted` messages from `sequence` on lie together and fit a write. */
  room(sequence: number, wanted: number): number {
    return Math.min(wanted, this.most, this.slots - (sequence % this.slots));
  }

  /** The frames of `count` messages, as `room` allows, all of them sent now. Valid until the next call. */
  stamped(sequence: number, count: number, micros: number): Uint8Array {
    const slot = sequence % this.slots;
    for (let index = 0; index < count; index++) this.#stamp(slot + index, sequence + index, micros);
    return this.#frames(slot, count);
  }

  /** The same with a time of its own for each. */
  stampedAt(sequence: number, count: number, firstMicros: number, gapMicros: number): Uint8Array {
    const slot = sequence % this.slots;
    for (let index = 0; index < count; index++) {
      this.#stamp(slot + index, sequence + index, firstMicros + index * gapMicros);
    }
    return this.#frames(slot, count);
  }

  #frames(slot: number, count: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[slot], this.#starts[slot + count]);
  }

  #stamp(slot: number, sequence: number, micros: number): void {
    const view = this.#view;
    const at = this.#bodies[slot] ?? 0;
    const size = this.#allStamped ? STAMP_BYTES : (this.#sizes[slot % this.#sizes.length] ?? 0);
    if (size < SEQUENCE_BYTES) return;
    view.setUint32(at, sequence);
    view.setUint16(at + StampAt.sequenceHigh, sequence / TWO_TO_32);
    if (size < STAMP_BYTES) return;
    view.setUint16(at + StampAt.sentHigh, micros / TWO_TO_32);
    view.setUint32(at + StampAt.sentLow, micros);
  }

  #encode(writer: ByteWriter, shape: MessageShape): void {
    const { channel, exchange, routingKeys, sizesBytes, persistent, mandatory, frameMax } = shape;
    const properties: MessageProperties = persistent ? { deliveryMode: 2 } : {};
    const propertiesBytes = persistent ? 3 : 2;
    const bodies = sizesBytes.map((size) => templateBody(size, shape.producer, shape.run));
    for (let slot = 0; slot < this.slots; slot++) {
      const body = bodies[slot % bodies.length] ?? new Uint8Array(0);
      this.#starts[slot] = writer.offset;
      writeBasicPublish(writer, channel, exchange, routingKeys[slot % routingKeys.length] ?? '', mandatory, false);
      this.#bodies[slot] = writer.offset + HEADER_FRAME_BYTES + propertiesBytes + FRAME_HEADER_BYTES;
      writeContent(writer, channel, properties, body, frameMax);
    }
    this.#starts[this.slots] = writer.offset;
  }
}

function leastCommonMultiple(one: number, other: number): number {
  let [a, b] = [one, other];
  while (b !== 0) [a, b] = [b, a % b];
  return (one / a) * other;
}
