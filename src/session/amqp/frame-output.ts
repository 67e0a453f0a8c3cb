/**
 * What an AMQP connection sends. Methods are written through `writer` (the generated functions), content through
 * `content`. `touch` must follow every write.
 */
import type { ByteWriter } from '../../../protocol/byte-writer.js';
import { copyBytes } from '../../core/log/copy-bytes.js';
import type { RecordReader } from '../../core/log/record.js';
import type { Turn } from '../../core/turn.js';
import type { Transport } from '../../net/transport.js';
import { TurnOutput } from '../shared/turn-output.js';

const FRAME_OVERHEAD_BYTES = 8;
/** Delivery tag and redelivered flag. */
const TAG_BYTES = 9;
const CONTENT_HEADER_BYTES = 12;
/** Of the number that a record's `numberAt` tells of. */
const NUMBER_BYTES = 8;
const TWO_TO_32 = 0x1_0000_0000;

export class FrameOutput {
  readonly writer: ByteWriter;
  readonly #output: TurnOutput;
  /** Largest body frame payload. */
  #maxBody = 4096 - FRAME_OVERHEAD_BYTES;
  readonly #largeBytes: number;
  // The delivery before, while it is in the same chunk; `#lastPrefix` undefined: none is.
  #lastPrefix: Uint8Array | undefined;
  #lastGeneration = 0;
  #lastStart = 0;
  #lastRouteLength = 0;
  #lastPropertiesLength = 0;
  #lastBodySize = 0;

  constructor(transport: Transport, turn: Turn) {
    this.#output = new TurnOutput(transport, turn);
    this.#largeBytes = this.#output.largeBytes;
    this.writer = this.#output.writer;
  }

  /** 0 is no limit. */
  set frameMax(bytes: number) {
    this.#maxBody = (bytes === 0 ? this.#largeBytes : bytes) - FRAME_OVERHEAD_BYTES;
  }

  /** The peer reads slower than we write. */
  get backedUp(): boolean {
    return this.#output.backedUp;
  }

  /** The peer asks without reading the answers. */
  get overflowing(): boolean {
    return this.#output.overflowing;
  }

  /** Something was written: it goes out at the end of this turn. */
  touch(): void {
    this.#output.touch();
  }

  flush(): void {
    this.#output.flush();
  }

  /** The transport sent something; true when that ends the back-up. */
  drained(): boolean {
    return this.#output.drained();
  }

  /** What is still written goes nowhere. */
  close(): void {
    this.#output.close();
  }

  /** A basic.deliver with its content. `prefix` is the frame's beginning up to the delivery tag. */
  deliver(prefix: Uint8Array, deliveryTag: number, record: RecordReader): void {
    const writer = this.writer;
    const routeLength = record.routeEnd - record.routeStart;
    const payload = prefix.length - 7 + 9 + routeLength;
    const header = CONTENT_HEADER_BYTES + record.propertiesEnd - record.propertiesStart;
    const bodySize = record.bodyEnd - record.bodyStart;
    const total = payload + header + bodySize + 3 * FRAME_OVERHEAD_BYTES;
    if (bodySize > this.#maxBody || total > this.#largeBytes) {
      this.#deliverInParts(prefix, deliveryTag, record, payload);
      return;
    }
    writer.ensure(total);
    const start = writer.offset;
    if (this.#repeatsLast(prefix, record, routeLength, bodySize)) {
      this.#deliverAgain(prefix, deliveryTag, record, start);
      return;
    }
    const bytes = writer.bytes;
    const view = writer.view;
    let at = copyBytes(bytes, start, prefix, 0, prefix.length);
    view.setUint32(start + 3, payload);
    at = writeTag(view, bytes, at, deliveryTag, record.redelivered);
    at = copyBytes(bytes, at, record.bytes, record.routeStart, record.routeEnd);
    bytes[at++] = 0xce;
    // Content header: type, channel as in the prefix, size, class 60, weight 0, body size.
    const channelHigh = prefix[1] as number;
    const channelLow = prefix[2] as number;
    bytes[at] = 2;
    bytes[at + 1] = channelHigh;
    bytes[at + 2] = channelLow;
    view.setUint32(at + 3, header);
    view.setUint32(at + 7, 0x003c0000);
    view.setUint32(at + 11, 0);
    view.setUint32(at + 15, bodySize);
    at = copyBytes(bytes, at + 19, record.bytes, record.propertiesStart, record.propertiesEnd);
    bytes[at++] = 0xce;
    if (bodySize > 0) {
      bytes[at] = 3;
      bytes[at + 1] = channelHigh;
      bytes[at + 2] = channelLow;
      view.setUint32(at + 3, bodySize);
      at = copyBytes(bytes, at + 7, record.body, record.bodyStart, record.bodyEnd);
      bytes[at++] = 0xce;
    }
    writer.offset = at;
    this.#lastPrefix = prefix;
    this.#lastGeneration = this.#output.generation;
    this.#lastStart = start;
    this.#lastRouteLength = routeLength;
    this.#lastPropertiesLength = record.propertiesEnd - record.propertiesStart;
    this.#lastBodySize = bodySize;
    this.#output.touch();
  }

  /** Whether all but the tag and the body is as in the delivery before, as it is where one publisher keeps on. */
  #repeatsLast(prefix: Uint8Array, record: RecordReader, routeLength: number, bodySize: number): boolean {
    if (prefix !== this.#lastPrefix || this.#lastGeneration !== this.#output.generation) return false;
    if (bodySize !== this.#lastBodySize || bodySize === 0) return false;
    const propertiesLength = record.propertiesEnd - record.propertiesStart;
    if (routeLength !== this.#lastRouteLength || propertiesLength !== this.#lastPropertiesLength) return false;
    // In a record the properties follow the route, on the wire a frame's end and a header lie between them.
    const written = this.writer.bytes;
    const bytes = record.bytes;
    const route = this.#lastStart + prefix.length + TAG_BYTES;
    const from = record.routeStart;
    for (let i = 0; i < routeLength; i++) if (written[route + i] !== bytes[from + i]) return false;
    const properties = route + routeLength + 1 + 7 + CONTENT_HEADER_BYTES;
    const propertiesFrom = record.propertiesStart;
    if (record.numberAt !== 0) return repeatsButNumber(written, properties, record);
    for (let i = 0; i < propertiesLength; i++) {
      if (written[properties + i] !== bytes[propertiesFrom + i]) return false;
    }
    return true;
  }

  /** Copying within one chunk costs less than writing the frames anew. */
  #deliverAgain(prefix: Uint8Array, deliveryTag: number, record: RecordReader, start: number): void {
    const writer = this.writer;
    const bytes = writer.bytes;
    const last = this.#lastStart;
    const beforeBody =
      prefix.length +
      TAG_BYTES +
      this.#lastRouteLength +
      CONTENT_HEADER_BYTES +
      this.#lastPropertiesLength +
      2 * FRAME_OVERHEAD_BYTES;
    bytes.copyWithin(start, last, last + beforeBody);
    writeTag(writer.view, bytes, start + prefix.length, deliveryTag, record.redelivered);
    const { numberAt } = record;
    if (numberAt !== 0) {
      // Between properties and body lie the end of one frame and the beginning of the next.
      const to = start + beforeBody - FRAME_OVERHEAD_BYTES - (record.propertiesEnd - numberAt);
      copyBytes(bytes, to, record.bytes, numberAt, numberAt + NUMBER_BYTES);
    }
    const at = copyBytes(bytes, start + beforeBody, record.body, record.bodyStart, record.bodyEnd);
    bytes[at] = 0xce;
    writer.offset = at + 1;
    this.#output.touch();
  }

  /** Header and body frames of a content; the method frame has been written. */
  content(
    channel: number,
    properties: Uint8Array,
    propertiesStart: number,
    propertiesEnd: number,
    body: Uint8Array,
    bodyStart: number,
    bodyEnd: number,
  ): void {
    const writer = this.writer;
    const bodySize = bodyEnd - bodyStart;
    this.#beginFrame(2, channel, CONTENT_HEADER_BYTES + propertiesEnd - propertiesStart);
    writer.ensure(CONTENT_HEADER_BYTES);
    writer.u32(0x003c0000);
    writer.u64(bodySize);
    this.#output.append(properties, propertiesStart, propertiesEnd);
    writer.u8(0xce);
    for (let at = bodyStart; at < bodyEnd; at += this.#maxBody) {
      const end = Math.min(at + this.#maxBody, bodyEnd);
      this.#beginFrame(3, channel, end - at);
      this.#output.append(body, at, end);
      writer.u8(0xce);
    }
    this.#output.touch();
  }

  #deliverInParts(prefix: Uint8Array, deliveryTag: number, record: RecordReader, payload: number): void {
    const writer = this.writer;
    writer.ensure(payload + FRAME_OVERHEAD_BYTES);
    const start = writer.offset;
    let at = copyBytes(writer.bytes, start, prefix, 0, prefix.length);
    writer.patchU32(start + 3, payload);
    at = writeTag(writer.view, writer.bytes, at, deliveryTag, record.redelivered);
    at = copyBytes(writer.bytes, at, record.bytes, record.routeStart, record.routeEnd);
    writer.bytes[at++] = 0xce;
    writer.offset = at;
    const channel = ((prefix[1] as number) << 8) | (prefix[2] as number);
    this.content(
      channel,
      record.bytes,
      record.propertiesStart,
      record.propertiesEnd,
      record.body,
      record.bodyStart,
      record.bodyEnd,
    );
  }

  #beginFrame(type: number, channel: number, size: number): void {
    const writer = this.writer;
    writer.ensure(7);
    writer.u8(type);
    writer.u16(channel);
    writer.u32(size);
  }
}

/** Whether the properties at `at` are those of `record`, the number in them left out. */
function repeatsButNumber(written: Uint8Array, at: number, record: RecordReader): boolean {
  const { bytes, propertiesStart, propertiesEnd, numberAt } = record;
  const shift = at - propertiesStart;
  for (let i = propertiesStart; i < numberAt; i++) if (written[i + shift] !== bytes[i]) return false;
  for (let i = numberAt + NUMBER_BYTES; i < propertiesEnd; i++) if (written[i + shift] !== bytes[i]) return false;
  return true;
}

function writeTag(view: DataView, bytes: Uint8Array, at: number, deliveryTag: number, redelivered: boolean): number {
  view.setUint32(at, deliveryTag >= TWO_TO_32 ? Math.floor(deliveryTag / TWO_TO_32) : 0);
  view.setUint32(at + 4, deliveryTag >>> 0);
  bytes[at + 8] = redelivered ? 1 : 0;
  return at + 9;
}
