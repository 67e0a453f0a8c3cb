/** Acknowledgements in batches: frames in a row that differ in the delivery tag, in one write for a chunk of deliveries. */
import { writeBasicAck } from '../../protocol/amqp/methods.gen.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import type { AmqpConnection } from './amqp-connection.js';
import { TWO_TO_32 } from './stamp.js';

const FRAMES = 2048;
/** Frame header, ids, tag, multiple, end octet. */
const FRAME_BYTES = 21;
const TAG_AT = 11;

export class AckWriter {
  readonly #connection: AmqpConnection;
  readonly #channel: number;
  readonly #multiple: boolean;
  #bytes: Uint8Array;
  #view: DataView;
  #frames = 0;

  /** `multiple`: an acknowledgement is for all deliveries up to it. */
  constructor(connection: AmqpConnection, channel: number, multiple: boolean) {
    this.#connection = connection;
    this.#channel = channel;
    this.#multiple = multiple;
    this.#bytes = this.#blank();
    this.#view = new DataView(this.#bytes.buffer);
  }

  ack(deliveryTag: number): void {
    const at = this.#frames * FRAME_BYTES + TAG_AT;
    this.#view.setUint32(at, deliveryTag / TWO_TO_32);
    this.#view.setUint32(at + 4, deliveryTag);
    if (++this.#frames === FRAMES) this.flush();
  }

  flush(): void {
    if (this.#frames === 0) return;
    const isTaken = this.#connection.write(this.#bytes.subarray(0, this.#frames * FRAME_BYTES));
    this.#frames = 0;
    if (isTaken) return;
    this.#bytes = this.#blank();
    this.#view = new DataView(this.#bytes.buffer);
  }

  #blank(): Uint8Array {
    const writer = new ByteWriter(FRAMES * FRAME_BYTES);
    for (let frame = 0; frame < FRAMES; frame++) writeBasicAck(writer, this.#channel, 0, this.#multiple);
    return writer.finished();
  }
}
