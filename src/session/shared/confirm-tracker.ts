/**
 * Publisher confirms of one channel, or receipts of one STOMP session: publish numbers in order, each accepted with
 * the commit it waits for or rejected. Answers always come in order, as few as possible. Neighbours with one fate are
 * one run, so the memory does not grow with the number of messages.
 */
import type { CommitId } from '../../core/ports/message-store.js';

export interface ConfirmSink {
  /** Everything up to `number` that was not answered yet is confirmed. */
  confirm(number: number, multiple: boolean): void;
  reject(number: number, multiple: boolean): void;
}

interface Run {
  upTo: number;
  /** The batch all of the run waits for; ignored when rejected. */
  commit: CommitId;
  readonly rejected: boolean;
}

export class ConfirmTracker {
  #last = 0;
  /** Numbers up to here are answered. */
  #answered = 0;
  #runs: Run[] = [];

  /** The number of the publish that begins now: 1, 2, 3, … */
  begin(): number {
    return ++this.#last;
  }

  get hasUnanswered(): boolean {
    return this.#answered < this.#last;
  }

  accepted(number: number, commit: CommitId): void {
    const run = this.#runs[this.#runs.length - 1];
    // Answers are in order: a number waits for what the run before it waits for, so it may join that run.
    if (run !== undefined && !run.rejected && commit <= run.commit) run.upTo = number;
    else this.#runs.push({ upTo: number, commit, rejected: false });
  }

  rejected(number: number): void {
    const run = this.#runs[this.#runs.length - 1];
    if (run?.rejected === true) run.upTo = number;
    else this.#runs.push({ upTo: number, commit: 0, rejected: true });
  }

  /** Answers the longest settled prefix. True when something is left that waits for a commit. */
  flush(durable: CommitId, sink: ConfirmSink): boolean {
    let taken = 0;
    let confirmedUpTo = 0;
    for (const run of this.#runs) {
      if (!run.rejected && run.commit > durable) break;
      taken++;
      if (!run.rejected) {
        confirmedUpTo = run.upTo;
        continue;
      }
      if (confirmedUpTo > this.#answered) this.#confirm(confirmedUpTo, sink);
      sink.reject(run.upTo, run.upTo - this.#answered > 1);
      this.#answered = run.upTo;
    }
    if (confirmedUpTo > this.#answered) this.#confirm(confirmedUpTo, sink);
    if (taken === this.#runs.length) this.#runs.length = 0;
    else this.#runs.splice(0, taken);
    return this.#runs.length > 0;
  }

  #confirm(upTo: number, sink: ConfirmSink): void {
    sink.confirm(upTo, upTo - this.#answered > 1);
    this.#answered = upTo;
  }
}
