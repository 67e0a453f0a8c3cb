/**
 * Reads deliveries of one shape at known offsets: those that differ from an earlier one only in delivery tag, body and
 * the letters of the routing key. `learn` is told a delivery that was decoded; whatever looks different is left to the
 * connection, which decodes it, and that is then the shape.
 */
import { FRAME_END, FrameType } from '../../protocol/amqp/constants.gen.js';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { TWO_TO_32 } from './stamp.js';

const OVERHEAD_BYTES = 8;
const FRAME_HEADER_BYTES = 7;
const CONTENT_HEADER_BYTES = 12;
const BASIC_CLASS_WEIGHT_0 = 60 << 16;

export interface DeliverySink {
  /** `view` shows the body at `at`. */
  onDelivery(view: DataView, at: number, sizeBytes: number, deliveryTag: number, redelivered: boolean): void;
}

export class DeliveryScanner {
  readonly #sink: DeliverySink;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #viewed: Uint8Array | undefined;
  // The shape. Offsets count from the first byte of the method frame.
  #methodBytes = 0;
  #firstWord = 0;
  #consumerTagBytes = 0;
  #exchangeBytes = 0;
  #tagAt = 0;
  #headerWord = 0;
  #headerBytes = 0;
  #propertyFlags = 0;
  #bodyWord = 0;

  constructor(sink: DeliverySink) {
    this.#sink = sink;
  }

  /** From the arguments of a basic.deliver and the properties behind it. */
  learn(channel: number, methodArguments: Uint8Array, properties: Uint8Array): void {
    this.#methodBytes = 4 + methodArguments.length;
    this.#firstWord = (FrameType.method << 24) | (channel << 8);
    this.#headerWord = (FrameType.header << 24) | (channel << 8);
    this.#bodyWord = (FrameType.body << 24) | (channel << 8);
    this.#consumerTagBytes = methodArguments[0] ?? 0;
    this.#tagAt = FRAME_HEADER_BYTES + 4 + 1 + this.#consumerTagBytes;
    this.#exchangeBytes = methodArguments[this.#consumerTagBytes + 1 + 8 + 1] ?? 0;
    this.#headerBytes = CONTENT_HEADER_BYTES + properties.length;
    this.#propertyFlags = ((properties[0] ?? 0) << 8) | (properties[1] ?? 0);
  }

  /** Answers the offset behind the last delivery it took. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (this.#methodBytes === 0) return start;
    if (this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    let at = start;
    for (;;) {
      const next = this.#one(at, end);
      if (next === at) return at;
      at = next;
    }
  }

  #one(at: number, end: number): number {
    const view = this.#view;
    const header = at + OVERHEAD_BYTES + this.#methodBytes;
    const body = header + OVERHEAD_BYTES + this.#headerBytes;
    if (body > end) return at;
    const tagAt = at + this.#tagAt;
    const isMethod =
      view.getInt32(at) === this.#firstWord &&
      view.getUint32(at + 3) === this.#methodBytes &&
      view.getUint32(at + FRAME_HEADER_BYTES) === MethodId.BasicDeliver &&
      view.getUint8(at + FRAME_HEADER_BYTES + 4) === this.#consumerTagBytes &&
      view.getUint8(tagAt + 9) === this.#exchangeBytes &&
      view.getUint8(header - 1) === FRAME_END;
    if (!isMethod) return at;
    const isHeader =
      view.getInt32(header) === this.#headerWord &&
      view.getUint32(header + 3) === this.#headerBytes &&
      view.getUint32(header + 7) === BASIC_CLASS_WEIGHT_0 &&
      view.getUint32(header + 11) === 0 &&
      view.getUint16(header + 19) === this.#propertyFlags &&
      view.getUint8(body - 1) === FRAME_END;
    if (!isHeader) return at;
    const size = view.getUint32(header + 15);
    const next = size === 0 ? body : body + OVERHEAD_BYTES + size;
    if (next > end) return at;
    const isBody =
      size === 0 ||
      (view.getInt32(body) === this.#bodyWord &&
        view.getUint32(body + 3) === size &&
        view.getUint8(next - 1) === FRAME_END);
    if (!isBody) return at;
    const tag = view.getUint32(tagAt) * TWO_TO_32 + view.getUint32(tagAt + 4);
    this.#sink.onDelivery(view, body + FRAME_HEADER_BYTES, size, tag, view.getUint8(tagAt + 8) !== 0);
    return next;
  }
}
