/**
 * Replies of one channel that wait for the disk, and the frames that wait for those replies.
 *
 * What changes definitions is still done at once while a reply waits, so that a thousand declares in a row need one
 * commit; their replies queue up in order. Any other frame is held, and so is everything behind it and everything behind
 * an error: whatever it would send must not overtake a reply. tx.commit is different: RabbitMQ refuses what follows it
 * until commit-ok is out.
 */
import { FrameType } from '../../../protocol/amqp/constants.gen.js';
import { MethodId } from '../../../protocol/amqp/methods.gen.js';
import { ByteWriter } from '../../../protocol/byte-writer.js';
import { copyRange } from '../../../protocol/copy-range.js';
import { readU32 } from '../../../protocol/read-u32.js';
import type { CommitId } from '../../core/ports/message-store.js';
import type { TurnTask } from '../../core/turn.js';
import type { AmqpEnvironment } from './environment.js';
import type { FrameOutput } from './frame-output.js';
import type { HeldInput } from './held-input.js';

interface PendingReply {
  readonly commit: CommitId;
  /** The frame to write, or what else is to be done in its turn. */
  readonly reply: Uint8Array | (() => void);
}

interface HeldFrame {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** What is needed of the connection. */
export interface PendingRepliesHost {
  readonly environment: AmqpEnvironment;
  readonly output: FrameOutput;
  readonly held: HeldInput;
  onFrame(type: number, number: number, bytes: Uint8Array, start: number, end: number): void;
}

/** What a frame or reply is counted as beside its bytes. */
const OBJECT_BYTES = 128;
const REPLY_BYTES = 64;

/** Done at once although replies wait. */
const DEFINITION_METHODS: ReadonlySet<number> = new Set([
  MethodId.ExchangeDeclare,
  MethodId.ExchangeDelete,
  MethodId.ExchangeBind,
  MethodId.ExchangeUnbind,
  MethodId.QueueDeclare,
  MethodId.QueueBind,
  MethodId.QueueUnbind,
  MethodId.QueueDelete,
]);

export class PendingReplies implements TurnTask {
  deferred = false;
  /** A reply waits for the disk, or a frame for its turn behind one. */
  waiting = false;
  /** Only tx.commit-ok is awaited, and nothing may follow it. */
  refusing = false;
  readonly #number: number;
  readonly #host: PendingRepliesHost;
  #replies: PendingReply[] = [];
  #frames: HeldFrame[] = [];
  /** Frames up to here were handled. */
  #handled = 0;
  #replaying = false;
  /** One of the replies will close the channel or the connection. */
  #failing = false;
  /** The reply that is being written, unless it goes straight to the output. */
  #writer: ByteWriter | undefined;
  #commit: CommitId = 0;

  constructor(channelNumber: number, host: PendingRepliesHost) {
    this.#number = channelNumber;
    this.#host = host;
  }

  get #isBlocked(): boolean {
    return this.#replies.length > 0;
  }

  // --- replies

  /** Where to write a reply that is owed once `commit` is durable. `end` must follow. */
  begin(commit: CommitId): ByteWriter {
    const { output, environment } = this.#host;
    this.#writer = undefined;
    if (!this.#isBlocked && commit <= environment.durability.durableCommit) return output.writer;
    this.#commit = commit;
    this.#writer = new ByteWriter(REPLY_BYTES);
    return this.#writer;
  }

  end(): void {
    const writer = this.#writer;
    if (writer === undefined) {
      this.#host.output.touch();
      return;
    }
    this.#writer = undefined;
    this.#queue({ commit: this.#commit, reply: writer.finished() });
  }

  /** Ends the reply to tx.commit. */
  endCommit(): void {
    this.refusing = this.#writer !== undefined;
    this.end();
  }

  /** Does `action`, which closes, in its turn behind the replies that wait; false when none does. */
  failInTurn(action: () => void): boolean {
    if (!this.#isBlocked || this.refusing) return false;
    this.#failing = true;
    this.#queue({ commit: 0, reply: action });
    return true;
  }

  /** Confirm phase: sends what is durable by now. */
  runInTurn(): void {
    const { environment, held } = this.#host;
    const durable = environment.durability.durableCommit;
    const waiting = this.#replies.findIndex(({ commit }) => commit > durable);
    const due = this.#replies.splice(0, waiting === -1 ? this.#replies.length : waiting);
    if (!this.#isBlocked) {
      this.refusing = false;
      this.#failing = false;
    } else environment.durability.wakeNext(this);
    for (const reply of due) this.#send(reply);
    if (this.waiting && !this.#isBlocked) held.continue();
  }

  /** The connection is over: nothing of this is said or done any more. */
  drop(): void {
    const frames = this.#frames.slice(this.#handled);
    for (const { reply } of this.#replies) this.#host.held.release(costOf(reply));
    for (const { bytes } of frames) this.#host.held.release(costOf(bytes));
    this.#replies = [];
    this.#frames = [];
    this.#handled = 0;
    this.#settled();
  }

  #queue(reply: PendingReply): void {
    const { environment, held } = this.#host;
    this.#replies.push(reply);
    this.waiting = true;
    held.add(this, costOf(reply.reply));
    environment.durability.wakeNext(this);
  }

  #send({ reply }: PendingReply): void {
    const { output, held } = this.#host;
    held.release(costOf(reply));
    if (typeof reply === 'function') {
      reply();
      return;
    }
    output.writer.raw(reply);
    output.touch();
  }

  // --- frames

  /** Takes a frame that has to wait; false when it is to be handled now. Only asked while `waiting`. */
  hold(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#replaying || this.refusing) return false;
    if (this.#frames.length === 0 && this.#mayGoAhead(type, bytes, start, end)) return false;
    const copy = copyRange(bytes, start, end);
    this.#frames.push({ type, bytes: copy });
    this.#host.held.add(this, costOf(copy));
    return true;
  }

  /** Handles held frames in order, as far as they need not wait. */
  continue(): void {
    const { held } = this.#host;
    for (let frame = this.#frames[this.#handled]; frame !== undefined; frame = this.#frames[this.#handled]) {
      const { type, bytes } = frame;
      const mustWait = this.#isBlocked && !this.refusing && !this.#mayGoAhead(type, bytes, 0, bytes.length);
      if (mustWait || !held.mayContinue) break;
      this.#handled++;
      held.release(costOf(bytes));
      this.#replaying = true;
      this.#host.onFrame(type, this.#number, bytes, 0, bytes.length);
      this.#replaying = false;
    }
    this.#frames.splice(0, this.#handled);
    this.#handled = 0;
    if (!this.#isBlocked && this.#frames.length === 0) this.#settled();
  }

  #mayGoAhead(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#failing || type !== FrameType.method || end - start < 4) return false;
    return DEFINITION_METHODS.has(readU32(bytes, start));
  }

  #settled(): void {
    this.waiting = false;
    this.refusing = false;
    this.#failing = false;
    this.#host.held.settled(this);
  }
}

function costOf(held: Uint8Array | (() => void)): number {
  return OBJECT_BYTES + (typeof held === 'function' ? 0 : held.length);
}
