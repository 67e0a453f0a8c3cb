/** What a channel keeps of its deliveries and publishes, and the frames of a delivery. */
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import { SystemClock } from '../../src/clock.js';
import { RecordReader } from '../../src/core/log/record.js';
import type { Queue } from '../../src/core/queue/queue.js';
import { Turn } from '../../src/core/turn.js';
import { ChunkPool } from '../../src/net/chunk-pool.js';
import type { Transport } from '../../src/net/transport.js';
import { FrameOutput } from '../../src/session/amqp/frame-output.js';
import { ConfirmTracker } from '../../src/session/shared/confirm-tracker.js';
import { DeliveryLedger } from '../../src/session/shared/delivery-ledger.js';
import { messageOf } from './message.js';
import type { MicroStep, PreparedStep } from './step.js';

const AREA = 'session';
const OUTSTANDING = 200;
const FRAME_MAX_BYTES = 131_072;
/** Class and method id of basic.deliver. */
const DELIVER = 0x003c003c;

export const SESSION_STEPS: readonly MicroStep[] = [
  { area: AREA, name: 'ledger: add and take, 200 outstanding', messages: 40_000, prepare: takeSingly },
  { area: AREA, name: 'ledger: add, take 200 at once', messages: 40_000, prepare: takeAtOnce },
  { area: AREA, name: 'confirms: 100 of a batch', messages: 40_000, prepare: () => confirms(100) },
  { area: AREA, name: 'confirms: 1 of a batch', messages: 12_000, prepare: () => confirms(1) },
  ...[16, 1024, 16_384].map((bodyBytes) => ({
    area: AREA,
    name: `frames of a delivery, ${bodyBytes} B`,
    messages: bodyBytes > 1024 ? 2_500 : 20_000,
    prepare: () => deliveries(bodyBytes),
  })),
];

function takeSingly(): PreparedStep {
  const ledger = new DeliveryLedger();
  const source = deliverySource();
  let tag = 0;
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) {
        ledger.add(++tag, tag, source);
        if (tag > OUTSTANDING) ledger.take(tag - OUTSTANDING);
      }
    },
  };
}

function takeAtOnce(): PreparedStep {
  const ledger = new DeliveryLedger();
  const source = deliverySource();
  const sink = { settle: () => {} };
  let tag = 0;
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) {
        ledger.add(++tag, tag, source);
        if (tag % OUTSTANDING === 0) ledger.takeUpTo(tag, sink);
      }
    },
  };
}

function deliverySource() {
  // The ledger hands the queue on and never looks at it.
  return { queue: {} as Queue, released: () => {} };
}

function confirms(perBatch: number): PreparedStep {
  const tracker = new ConfirmTracker();
  const sink = { confirm: () => {}, reject: () => {} };
  let commit = 0;
  return {
    run: (messages) => {
      for (let done = 0; done < messages; done += perBatch) {
        commit++;
        for (let i = 0; i < perBatch; i++) tracker.accepted(tracker.begin(), commit);
        tracker.flush(commit, sink);
      }
    },
  };
}

function deliveries(bodyBytes: number): PreparedStep {
  const output = new FrameOutput(discardingTransport(), new Turn(new SystemClock(), () => {}));
  output.frameMax = FRAME_MAX_BYTES;
  const prefix = deliverPrefix('bench-consumer');
  const record = new RecordReader();
  record.showSource(messageOf(bodyBytes));
  let tag = 0;
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) output.deliver(prefix, ++tag, record);
      output.flush();
    },
  };
}

function deliverPrefix(consumerTag: string): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(FrameType.method);
  writer.u16(1);
  writer.u32(0);
  writer.u32(DELIVER);
  writer.shortstr(consumerTag);
  return writer.finished();
}

/** A socket whose peer takes everything at once. */
function discardingTransport(): Transport {
  const chunks = new ChunkPool();
  return {
    remoteAddress: '127.0.0.1',
    localAddress: '127.0.0.1',
    remotePort: 1,
    localPort: 1,
    bytesRead: 0,
    bytesWritten: 0,
    unsentBytes: 0,
    chunks,
    write: (chunk) => chunks.release(chunk),
    pauseReading: () => {},
    resumeReading: () => {},
    end: () => {},
    destroy: () => {},
  };
}
