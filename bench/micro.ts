/**
 * What single steps of the hot path cost, in ns per message: `npm run bench:micro`. No broker, no socket. Figures of
 * one machine compare with each other only; medians of several rounds.
 */
import { FrameParser, type FrameSink } from '../protocol/amqp/frame-parser.js';
import { writeBasicPublish } from '../protocol/amqp/methods.gen.js';
import { ByteWriter } from '../protocol/byte-writer.js';
import { SystemClock } from '../src/clock.js';
import { TOPIC } from '../src/core/exchange/topic.js';
import { EMPTY_TABLE } from '../src/core/field-value.js';
import { copyBytes } from '../src/core/log/copy-bytes.js';
import { MessageLog } from '../src/core/log/message-log.js';
import { Pager } from '../src/core/log/pager.js';
import { RecordReader, RecordSource } from '../src/core/log/record.js';
import { SegmentPool } from '../src/core/log/segment-pool.js';
import { SharedBodies } from '../src/core/log/shared-bodies.js';
import { Turn } from '../src/core/turn.js';
import { RouteCache } from '../src/session/amqp/route-cache.js';
import { DeliveryLedger } from '../src/session/shared/delivery-ledger.js';
import { MemoryMessageStore } from '../src/store/memory-store.js';

const ROUNDS = 7;
const MESSAGES = 200_000;

/** Runs `step` for MESSAGES messages, several rounds, and prints the median. */
function measure(name: string, step: (messages: number) => void): void {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    step(MESSAGES);
    rounds.push(Number(process.hrtime.bigint() - start) / MESSAGES);
  }
  rounds.sort((a, b) => a - b);
  const median = rounds[rounds.length >> 1] ?? 0;
  console.log(`${name.padEnd(52)} ${median.toFixed(1).padStart(8)} ns`);
}

function publishFrames(bodySize: number, count: number): Uint8Array {
  const writer = new ByteWriter(1024);
  for (let i = 0; i < count; i++) {
    writeBasicPublish(writer, 1, '', 'bench', false, false);
    writer.u8(2);
    writer.u16(1);
    writer.u32(14);
    writer.u32(60 << 16);
    writer.u64(bodySize);
    writer.u16(0);
    writer.u8(0xce);
    writer.u8(3);
    writer.u16(1);
    writer.u32(bodySize);
    writer.raw(new Uint8Array(bodySize));
    writer.u8(0xce);
  }
  return writer.finished();
}

function source(bodySize: number): RecordSource {
  const record = new RecordSource();
  record.route = Buffer.from('\0\x05bench');
  record.routeEnd = record.route.length;
  record.properties = new Uint8Array(2);
  record.propertiesEnd = 2;
  record.body = new Uint8Array(bodySize);
  record.bodyEnd = bodySize;
  return record;
}

for (const bodySize of [16, 1024]) {
  const perChunk = Math.floor(65_536 / (bodySize + 62));
  const frames = publishFrames(bodySize, perChunk);
  const sink: FrameSink = { onFrame: () => {}, onPublish: () => true };
  const parser = new FrameParser(sink, 131_072);
  measure(`parse a publish, ${bodySize} B`, (messages) => {
    for (let done = 0; done < messages; done += perChunk) parser.push(frames, 0, frames.length);
  });
}

for (const bodySize of [16, 1024]) {
  const clock = new SystemClock();
  const [segments, bodies, store] = [new SegmentPool(), new SharedBodies(), new MemoryMessageStore()];
  const pager = new Pager({ turn: new Turn(clock, () => {}), segments, bodies, store });
  const log = new MessageLog(1, { clock, segments, bodies, store, pager }, false);
  const record = source(bodySize);
  const reader = new RecordReader();
  measure(`append, read and settle, ${bodySize} B, 500 at a time`, (messages) => {
    for (let done = 0; done < messages; done += 500) {
      for (let i = 0; i < 500; i++) log.append(record);
      while (log.readNext(reader)) log.settle(reader.position);
    }
  });
}

for (const bodySize of [16, 48, 1024]) {
  const from = new Uint8Array(65_536);
  const to = new Uint8Array(65_536);
  measure(`copy ${bodySize} B`, (messages) => {
    for (let i = 0; i < messages; i++)
      copyBytes(to, (i * 8) & 32_767, from, (i * 16) & 32_767, ((i * 16) & 32_767) + bodySize);
  });
}

{
  const cache = new RouteCache();
  const keys = Array.from({ length: 1000 }, (_, i) => Buffer.from(`\0\0\0\x0aroute.${String(i).padStart(4, '0')}\0`));
  const exchange = { name: '' } as never;
  for (const key of keys) {
    cache.add({ key, epoch: 1, exchange, routingKey: '', mandatory: false, targets: [] });
  }
  const one = keys[0] as Buffer;
  measure('cached route, the same as before', (messages) => {
    for (let i = 0; i < messages; i++) cache.find(one, 0, one.length, 1);
  });
  measure('cached route, 1,000 in turn', (messages) => {
    for (let i = 0; i < messages; i++) {
      const key = keys[i % 1000] as Buffer;
      cache.find(key, 0, key.length, 1);
    }
  });
}

{
  const router = TOPIC.createRouter(EMPTY_TABLE);
  for (let i = 0; i < 1000; i++) {
    router.add({ routingKey: `a.${i}.#`, arguments: EMPTY_TABLE } as never);
  }
  const targets = { add: () => {} };
  const messages = Array.from({ length: 10_000 }, (_, i) => ({ routingKey: `a.${i % 2000}.z`, headers: EMPTY_TABLE }));
  measure('topic route, 1,000 bindings, 10,000 keys', (count) => {
    for (let i = 0; i < count; i++) router.route(messages[i % 10_000] as (typeof messages)[number], targets);
  });
}

{
  const ledger = new DeliveryLedger();
  const delivery = { queue: {} as never, released: () => {} };
  let tag = 0;
  measure('ledger: add and take, 200 outstanding', (messages) => {
    for (let i = 0; i < messages; i++) {
      ledger.add(++tag, tag, delivery);
      if (tag > 200) ledger.take(tag - 200);
    }
  });
}
