/** A message's way through the log of a queue that is kept in memory, and the copying that is most of it. */
import { SystemClock } from '../../src/clock.js';
import { copyBytes } from '../../src/core/log/copy-bytes.js';
import type { LogEnvironment } from '../../src/core/log/log-environment.js';
import { MessageLog } from '../../src/core/log/message-log.js';
import { Pager } from '../../src/core/log/pager.js';
import { RecordReader } from '../../src/core/log/record.js';
import { SegmentPool } from '../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../src/core/log/shared-bodies.js';
import type { MessageStore } from '../../src/core/ports/message-store.js';
import { Turn } from '../../src/core/turn.js';
import { MemoryMessageStore } from '../../src/store/memory-store.js';
import { messageOf } from './message.js';
import type { MicroStep, PreparedStep } from './step.js';

const AREA = 'log';
/** Messages in the log at a time. */
const BATCH = 500;
const COPIED_BYTES = 65_536;

export const LOG_STEPS: readonly MicroStep[] = [
  ...[16, 1024].map((bodyBytes) => ({
    area: AREA,
    name: `append, read and settle, ${bodyBytes} B, ${BATCH} at a time`,
    messages: 12_000,
    prepare: () => appendReadSettle(bodyBytes),
  })),
  ...[16, 48, 1024].map((bytes) => ({
    area: AREA,
    name: `copy ${bytes} B`,
    messages: 60_000,
    prepare: () => copy(bytes),
  })),
];

function appendReadSettle(bodyBytes: number): PreparedStep {
  const log = new MessageLog(1, logEnvironment(new MemoryMessageStore()), false);
  const message = messageOf(bodyBytes);
  const reader = new RecordReader();
  return {
    run: (messages) => {
      for (let done = 0; done < messages; done += BATCH) {
        for (let i = 0; i < BATCH; i++) log.append(message);
        while (log.readNext(reader)) log.settle(reader.position);
      }
    },
  };
}

export function logEnvironment(store: MessageStore): LogEnvironment {
  const clock = new SystemClock();
  const [segments, bodies] = [new SegmentPool(), new SharedBodies()];
  const pager = new Pager({ turn: new Turn(clock, fail), segments, bodies, store });
  return { clock, segments, bodies, store, pager };
}

function fail(error: unknown): never {
  throw error;
}

function copy(bytes: number): PreparedStep {
  const [from, to] = [new Uint8Array(COPIED_BYTES), new Uint8Array(COPIED_BYTES)];
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) {
        const start = (i * 16) & 32_767;
        copyBytes(to, (i * 8) & 32_767, from, start, start + bytes);
      }
    },
  };
}
