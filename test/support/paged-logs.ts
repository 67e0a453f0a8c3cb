/** Logs with a pager and a scratch store that the test drives. */
import { expect } from 'vitest';
import { MessageLog } from '../../src/core/log/message-log.js';
import { Pager } from '../../src/core/log/pager.js';
import { RecordReader } from '../../src/core/log/record.js';
import { SegmentPool } from '../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../src/core/log/shared-bodies.js';
import { Turn } from '../../src/core/turn.js';
import { MemoryMessageStore } from '../../src/store/memory-store.js';
import { ControlledScratch } from './controlled-scratch.js';
import { FakeClock } from './fake-clock.js';
import { type Message, readMessage, sourceOf } from './messages.js';
import type { RecordingStore } from './recording-store.js';

export const KIB = 1024;

export interface PagedOptions {
  readonly store?: RecordingStore;
  readonly scratch?: ControlledScratch | undefined;
}

export function paged({ store, scratch = new ControlledScratch() }: PagedOptions = {}) {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  let writeFailures = 0;
  const turn = new Turn(clock, (error) => failures.push(error));
  const messages = store ?? new MemoryMessageStore();
  const [segments, bodies] = [new SegmentPool(), new SharedBodies({ store: messages, scratch })];
  for (const body of messages.recoverBodies()) bodies.restore(body);
  const onWriteFailure = (): void => {
    writeFailures++;
  };
  const pager = new Pager({ turn, segments, bodies, store: messages, scratch, onWriteFailure });
  const environment = { clock, segments, bodies, store: messages, pager };
  const logOf = (id: number): LogUnderTest => new LogUnderTest(new MessageLog(id, environment, store !== undefined));
  /** Lets the pager do all that it can do at once. */
  const settle = (): void => {
    for (let before = -1; before !== pager.residentBytes; ) {
      before = pager.residentBytes;
      clock.settle();
      scratch?.endAll();
    }
    expect(failures).toEqual([]);
  };
  return { clock, environment, pager, segments, bodies, scratch, logOf, settle, writeFailures: () => writeFailures };
}

/** Its messages' bodies begin with their positions. */
export class LogUnderTest {
  readonly log: MessageLog;
  readonly #reader = new RecordReader();
  #last = 0;

  constructor(log: MessageLog) {
    this.log = log;
    log.restore();
    this.#last = log.nextPosition - 1;
  }

  append(count: number, sizeBytes = KIB, message: Message = {}): void {
    for (let i = 0; i < count; i++) {
      this.log.append(sourceOf({ body: String(++this.#last).padEnd(sizeBytes), ...message }));
    }
  }

  /** Positions of the next messages; every body is checked. */
  read(count: number): number[] {
    return Array.from({ length: count }, () => {
      expect(this.log.readNext(this.#reader)).toBe(true);
      return this.#checked();
    });
  }

  readReturned(position: number): number {
    this.log.readReturned(position, this.#reader);
    return this.#checked();
  }

  settle(positions: Iterable<number>): void {
    for (const position of positions) this.log.settle(position);
  }

  #checked(): number {
    const { position } = readMessage(this.#reader);
    const { body, bodyStart } = this.#reader;
    const text = Buffer.from(body.subarray(bodyStart, bodyStart + 10)).toString('latin1');
    expect(Number.parseInt(text, 10)).toBe(position);
    return position;
  }
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
