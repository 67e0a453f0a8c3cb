/**
 * One publisher on a connection of its own. It writes a batch a turn of the event loop as long as the kernel takes it,
 * the confirm window has room and, at a fixed rate, messages are due; else it waits for that.
 */
import { FRAME_END, FrameType } from '../../protocol/amqp/constants.gen.js';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { readU32 } from '../../protocol/read-u32.js';
import type { AmqpConnection, BrokerFailure, ContentMethod, Receiver } from './amqp-connection.js';
import { nowMicros } from './clock.js';
import { OutstandingConfirms } from './outstanding-confirms.js';
import { type MessageShape, PublishBatch } from './publish-batch.js';

const CONFIRM_FRAME_BYTES = 21;
const CONFIRM_PAYLOAD_BYTES = 13;
const TAG_AT = 11;
const TWO_TO_32 = 0x1_0000_0000;

export interface PublisherSetup extends Omit<MessageShape, 'channel' | 'frameMax'> {
  /** undefined: without confirms. */
  readonly confirmWindow: number | undefined;
  /** 0: as fast as it goes. */
  readonly ratePerSecond: number;
  /** undefined: until `stop`. */
  readonly messages: number | undefined;
}

export class Publisher implements Receiver {
  readonly connection: AmqpConnection;
  readonly confirms: OutstandingConfirms | undefined;
  published = 0;
  returned = 0;
  lastPublishMicros = 0;
  /** When it stopped; at its last message when that was by number. */
  endMicros = 0;
  failure: BrokerFailure | undefined;
  /** The broker's reason for not reading what is published, while it does not. */
  blockedBecause: string | undefined;
  readonly #setup: PublisherSetup;
  #batch: PublishBatch | undefined;
  #channel = 0;
  #state: 'idle' | 'publishing' | 'stopped' = 'idle';
  /** A write is under way, or a turn is planned. */
  #isWaiting = false;
  #startMicros = 0;
  #stopMicros = Number.POSITIVE_INFINITY;

  constructor(connection: AmqpConnection, setup: PublisherSetup) {
    this.connection = connection;
    this.#setup = setup;
    this.confirms = setup.confirmWindow === undefined ? undefined : new OutstandingConfirms(setup.confirmWindow);
  }

  async open(): Promise<void> {
    this.connection.receive(this);
    this.#channel = await this.connection.openChannel();
    if (this.confirms !== undefined) {
      await this.connection.request(this.#channel, { name: 'confirm.select', noWait: false }, 'confirm.select-ok');
    }
    this.#batch = new PublishBatch({ ...this.#setup, channel: this.#channel, frameMax: this.connection.frameMax });
  }

  start(): void {
    this.#state = 'publishing';
    this.#startMicros = nowMicros();
    this.pump();
  }

  stopAt(micros: number): void {
    this.#stopMicros = micros;
  }

  stop(): void {
    if (this.#state === 'publishing') this.endMicros = Math.min(nowMicros(), this.#stopMicros);
    this.#state = 'stopped';
  }

  /** Nothing more will be published. */
  get isDone(): boolean {
    return this.#state === 'stopped';
  }

  /** For whoever ticks at a fixed rate. */
  readonly pump = (): void => {
    if (this.#state !== 'publishing' || this.#isWaiting || this.#batch === undefined) return;
    const micros = nowMicros();
    if (micros >= this.#stopMicros || this.published === this.#setup.messages) {
      this.#finish();
      return;
    }
    const { ratePerSecond, messages = Number.POSITIVE_INFINITY } = this.#setup;
    let wanted = Math.min(messages - this.published, this.#batch.most);
    if (ratePerSecond > 0) wanted = Math.min(wanted, this.#dueBy(micros) - this.published);
    if (this.confirms !== undefined) wanted = Math.min(wanted, this.confirms.room);
    // What it waits for then (a tick, a confirm) calls again.
    if (wanted > 0) this.#publish(this.#batch, this.#batch.room(this.published, wanted), micros);
  };

  scan(bytes: Uint8Array, start: number, end: number): number {
    if (this.confirms === undefined) return start;
    let at = start;
    for (; at + CONFIRM_FRAME_BYTES <= end; at += CONFIRM_FRAME_BYTES) {
      const isConfirm =
        bytes[at] === FrameType.method &&
        readU32(bytes, at + 3) === CONFIRM_PAYLOAD_BYTES &&
        readU32(bytes, at + 7) === MethodId.BasicAck &&
        bytes[at + CONFIRM_FRAME_BYTES - 1] === FRAME_END;
      if (!isConfirm) return at;
      const tag = readU32(bytes, at + TAG_AT) * TWO_TO_32 + readU32(bytes, at + TAG_AT + 4);
      this.#confirm(tag, (bytes[at + TAG_AT + 8] ?? 0) !== 0, false);
    }
    return at;
  }

  onConfirm(_channel: number, deliveryTag: number, multiple: boolean, nack: boolean): void {
    this.#confirm(deliveryTag, multiple, nack);
  }

  onContent(_channel: number, method: ContentMethod): void {
    if (method.name === 'basic.return') this.returned++;
  }

  onChunkEnd(): void {
    this.pump();
  }

  onBlocked(reason: string | undefined): void {
    this.blockedBecause = reason;
  }

  onFailure(failure: BrokerFailure): void {
    this.failure = failure;
    this.stop();
  }

  /** How many messages should have gone out by then: the first at the start. */
  #dueBy(micros: number): number {
    return Math.floor(((micros - this.#startMicros) * this.#setup.ratePerSecond) / 1e6) + 1;
  }

  #finish(): void {
    this.stop();
    if (this.published === this.#setup.messages) this.endMicros = this.lastPublishMicros;
  }

  #publish(batch: PublishBatch, count: number, micros: number): void {
    const { ratePerSecond } = this.#setup;
    const isPaced = ratePerSecond > 0;
    const gap = isPaced ? 1e6 / ratePerSecond : 0;
    const first = isPaced ? this.#startMicros + this.published * gap : micros;
    const frames = isPaced
      ? batch.stampedAt(this.published, count, first, gap)
      : batch.stamped(this.published, count, first);
    this.confirms?.published(count, first, gap);
    this.published += count;
    this.lastPublishMicros = micros;
    this.#isWaiting = true;
    // Others have their turn between two batches.
    if (this.connection.write(frames, this.#resume)) setImmediate(this.#resume);
  }

  readonly #resume = (): void => {
    this.#isWaiting = false;
    this.pump();
  };

  #confirm(tag: number, multiple: boolean, nack: boolean): void {
    this.confirms?.confirm(tag, multiple, nack, nowMicros());
  }
}
