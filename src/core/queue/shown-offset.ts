/**
 * The header that tells a consumer the offset of a message. Route and properties of neighbours are mostly the same, so what
 * was written for the one before is used again with another number in it.
 */
import { copyBytes } from '../log/copy-bytes.js';
import type { RecordReader } from '../log/record.js';
import type { CopyPlaces, PropertiesCodec } from '../ports/properties-codec.js';

const KEY = Buffer.from('x-stream-offset');
/** What the header takes, and to spare. */
const HEADER_BYTES = 64;
const TWO_TO_32 = 0x1_0000_0000;

export class ShownOffset {
  readonly #properties: PropertiesCodec;
  /** Route and properties of the record before, as they are in the log. */
  #original = Buffer.allocUnsafeSlow(256);
  #originalLength = -1;
  /** The same with the header. */
  #shown = Buffer.allocUnsafeSlow(256 + HEADER_BYTES);
  #view = new DataView(this.#shown.buffer);
  readonly #places: CopyPlaces = { end: 0, numberAt: 0 };

  constructor(properties: PropertiesCodec) {
    this.#properties = properties;
  }

  /** Lets `record`, which shows what is in the log, show the header too. */
  show(record: RecordReader): void {
    const offset = record.position - 1;
    const { routeStart, propertiesStart } = record;
    if (this.#repeats(record)) {
      const { numberAt } = this.#places;
      this.#view.setUint32(numberAt, Math.floor(offset / TWO_TO_32));
      this.#view.setUint32(numberAt + 4, offset >>> 0);
    } else this.#write(record, offset);
    const { end, numberAt } = this.#places;
    record.bytes = this.#shown;
    record.routeStart = 0;
    record.routeEnd = propertiesStart - routeStart;
    record.propertiesStart = record.routeEnd;
    record.propertiesEnd = end;
    record.numberAt = numberAt;
  }

  /** In a record the properties follow the route. */
  #repeats({ bytes, routeStart, propertiesEnd }: RecordReader): boolean {
    const length = propertiesEnd - routeStart;
    if (length !== this.#originalLength) return false;
    const original = this.#original;
    for (let i = 0; i < length; i++) if (original[i] !== bytes[routeStart + i]) return false;
    return true;
  }

  #write({ bytes, routeStart, propertiesStart, propertiesEnd }: RecordReader, offset: number): void {
    const length = propertiesEnd - routeStart;
    if (this.#original.length < length) {
      this.#original = Buffer.allocUnsafeSlow(length * 2);
      this.#shown = Buffer.allocUnsafeSlow(length * 2 + HEADER_BYTES);
      this.#view = new DataView(this.#shown.buffer);
    }
    copyBytes(this.#original, 0, bytes, routeStart, propertiesEnd);
    this.#originalLength = length;
    const at = copyBytes(this.#shown, 0, bytes, routeStart, propertiesStart);
    this.#properties.copyWithLong(bytes, propertiesStart, propertiesEnd, KEY, offset, this.#shown, at, this.#places);
  }
}
