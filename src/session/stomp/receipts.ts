/**
 * RECEIPT frames that are owed. That of a SEND comes once its message is confirmed, in the order of the SENDs; that of
 * any other command at once, or when what it changed is on disk.
 */
import { writeFrame } from '../../../protocol/stomp/frame-writer.js';
import type { CommitId } from '../../core/ports/message-store.js';
import type { PublishOutcome } from '../../core/queue/queue.js';
import { type Turn, TurnPhase, type TurnTask } from '../../core/turn.js';
import { type ConfirmSink, ConfirmTracker } from '../shared/confirm-tracker.js';
import type { Durability } from '../shared/durability.js';
import type { TurnOutput } from '../shared/turn-output.js';

interface OwedReceipt {
  readonly id: Uint8Array;
  readonly commit: CommitId;
}

export interface ReceiptsHost {
  readonly output: TurnOutput;
  /** More is owed than is kept of one client: it is to be read no further, or again. */
  receiptsPileUp(full: boolean): void;
}

/** Above this many bytes nothing more is taken on, until it is half of it. */
const MOST_BYTES = 1024 * 1024;
const OBJECT_BYTES = 64;

export class Receipts implements ConfirmSink, TurnTask {
  deferred = false;
  readonly #host: ReceiptsHost;
  readonly #turn: Turn;
  readonly #durability: Durability;
  readonly #confirms = new ConfirmTracker();
  /** Of SENDs by number: that of `#firstNumber` is the first. */
  #sent: Uint8Array[] = [];
  #firstNumber = 1;
  #owed: OwedReceipt[] = [];
  #bytes = 0;
  #full = false;
  #whenNone: (() => void) | undefined;

  constructor(host: ReceiptsHost, turn: Turn, durability: Durability) {
    this.#host = host;
    this.#turn = turn;
    this.#durability = durability;
  }

  /** Of a SEND. `commit` is that of the message, or of the queue that was declared for it. */
  oweForSend(id: Uint8Array, outcome: PublishOutcome, commit: CommitId): void {
    const number = this.#confirms.begin();
    this.#sent.push(id);
    this.#count(id.length + OBJECT_BYTES);
    if (outcome.rejected) this.#confirms.rejected(number);
    else this.#confirms.accepted(number, commit);
    if (!this.deferred) this.#turn.defer(TurnPhase.Confirm, this);
  }

  /** Of any other command. */
  owe(id: Uint8Array, commit: CommitId): void {
    if (this.#owed.length === 0 && commit <= this.#durability.durableCommit) {
      this.#send(id);
      return;
    }
    this.#owed.push({ id, commit });
    this.#count(id.length + OBJECT_BYTES);
    this.#durability.wakeNext(this);
  }

  /** Does `action` when no receipt is owed any more. */
  whenNone(action: () => void): void {
    if (this.#isEmpty) action();
    else this.#whenNone = action;
  }

  /** Confirm phase of the turn. */
  runInTurn(): void {
    const durable = this.#durability.durableCommit;
    const waiting = this.#owed.findIndex(({ commit }) => commit > durable);
    const due = this.#owed.splice(0, waiting === -1 ? this.#owed.length : waiting);
    for (const { id } of due) {
      this.#count(-id.length - OBJECT_BYTES);
      this.#send(id);
    }
    const unconfirmed = this.#confirms.flush(durable, this);
    if (unconfirmed || this.#owed.length > 0) this.#durability.wakeNext(this);
    if (!this.#isEmpty) return;
    const action = this.#whenNone;
    this.#whenNone = undefined;
    action?.();
  }

  confirm(number: number): void {
    for (const id of this.#takeUpTo(number)) this.#send(id);
  }

  /** RabbitMQ says nothing of a message that was refused. */
  reject(number: number): void {
    this.#takeUpTo(number);
  }

  /** The session is over. */
  drop(): void {
    this.#owed = [];
    this.#sent = [];
    this.#whenNone = undefined;
  }

  get #isEmpty(): boolean {
    return this.#owed.length === 0 && this.#sent.length === 0;
  }

  #takeUpTo(number: number): readonly Uint8Array[] {
    const taken = this.#sent.splice(0, number + 1 - this.#firstNumber);
    this.#firstNumber = number + 1;
    for (const id of taken) this.#count(-id.length - OBJECT_BYTES);
    return taken;
  }

  #send(id: Uint8Array): void {
    const { output } = this.#host;
    writeFrame(output.writer, 'RECEIPT', [['receipt-id', id]]);
    output.touch();
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const full = this.#full ? this.#bytes > MOST_BYTES / 2 : this.#bytes > MOST_BYTES;
    if (full === this.#full) return;
    this.#full = full;
    this.#host.receiptsPileUp(full);
  }
}
