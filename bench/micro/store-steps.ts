/** What durability costs: records packed into a commit, the commit on disk, and definitions. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/clock.js';
import { MessageLog } from '../../src/core/log/message-log.js';
import { RecordReader } from '../../src/core/log/record.js';
import type { QueueDefinition } from '../../src/core/ports/definition-store.js';
import { Turn, TurnPhase } from '../../src/core/turn.js';
import type { BatchWriter } from '../../src/store/lmdb/batch-writer.js';
import { LmdbDefinitionStore } from '../../src/store/lmdb/lmdb-definition-store.js';
import { openStores, type Stores } from '../../src/store/lmdb/open-stores.js';
import { RunPacker } from '../../src/store/lmdb/run-packer.js';
import { MemoryMessageStore } from '../../src/store/memory-store.js';
import { logEnvironment } from './log-steps.js';
import { messageOf } from './message.js';
import type { MicroStep, PreparedStep } from './step.js';

const AREA = 'store';
const COMMIT = 1000;
const DEFINITIONS = 100;

export const STORE_STEPS: readonly MicroStep[] = [
  ...[16, 1024].map((bodyBytes) => ({
    area: AREA,
    name: `pack ${COMMIT} records of a commit, ${bodyBytes} B`,
    messages: 12_000,
    prepare: () => pack(bodyBytes),
  })),
  ...[16, 1024].map((bodyBytes) => ({
    area: AREA,
    name: `commit of ${COMMIT} messages to disk, ${bodyBytes} B`,
    messages: COMMIT,
    prepare: () => commitMessages(bodyBytes),
  })),
  { area: AREA, name: 'commit of 1 message to disk', messages: 5, prepare: () => commitMessages(16, 1) },
  { area: AREA, name: 'encode a queue definition', messages: 1000, prepare: encodeDefinitions },
  {
    area: AREA,
    name: `commit of ${DEFINITIONS} definitions to disk`,
    messages: DEFINITIONS,
    prepare: commitDefinitions,
  },
];

/** Records as a log keeps them, into the values of runs with their checksums. */
function pack(bodyBytes: number): PreparedStep {
  const record = recordOf(bodyBytes);
  const packer = new RunPacker();
  return {
    run: (messages) => {
      for (let done = 0; done < messages; done += COMMIT) {
        for (let i = 1; i <= COMMIT; i++) packer.add(1, done + i, record, 0, record.length);
        packer.finish();
        packer.release();
      }
    },
  };
}

function recordOf(bodyBytes: number): Uint8Array {
  const log = new MessageLog(1, logEnvironment(new MemoryMessageStore()), false);
  log.append(messageOf(bodyBytes, true));
  const reader = new RecordReader();
  log.readNext(reader);
  return Buffer.from(reader.bytes.subarray(reader.start, reader.end));
}

/** Each commit also removes what the one before wrote, so that the data does not grow. */
async function commitMessages(bodyBytes: number, perCommit = COMMIT): Promise<PreparedStep> {
  const directory = await openDirectory();
  const log = new MessageLog(1, logEnvironment(directory.stores.messages), true);
  const message = messageOf(bodyBytes, true);
  const reader = new RecordReader();
  const run = async (messages: number): Promise<void> => {
    for (let done = 0; done < messages; done += perCommit) {
      for (let i = 0; i < perCommit; i++) log.append(message);
      await directory.durable();
      while (log.readNext(reader)) log.settle(reader.position);
    }
  };
  return { run, close: () => directory.close() };
}

/** The record of a definition and where it goes, without the disk. */
function encodeDefinitions(): PreparedStep {
  const writer: BatchWriter = { openBatch: 1, put: () => {}, remove: () => {} };
  const store = new LmdbDefinitionStore(writer, []);
  const definitions = Array.from({ length: DEFINITIONS }, (_, i) => queueDefinition(i));
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) store.put(definitions[i % DEFINITIONS] as QueueDefinition);
    },
  };
}

async function commitDefinitions(): Promise<PreparedStep> {
  const directory = await openDirectory();
  const definitions = Array.from({ length: DEFINITIONS }, (_, i) => queueDefinition(i));
  const run = async (messages: number): Promise<void> => {
    for (let done = 0; done < messages; done += DEFINITIONS) {
      for (const definition of definitions) directory.stores.definitions.put(definition);
      await directory.durable();
    }
  };
  return { run, close: () => directory.close() };
}

function queueDefinition(i: number): QueueDefinition {
  return {
    kind: 'queue',
    virtualHost: '/',
    name: `queue.${i}`,
    autoDelete: false,
    arguments: [],
    id: i + 1,
    logCount: 1,
    type: 'classic',
  };
}

interface OpenDirectory {
  readonly stores: Stores;
  /** Resolves once everything that was changed is on disk. */
  durable(): Promise<void>;
  close(): Promise<void>;
}

async function openDirectory(): Promise<OpenDirectory> {
  const directory = mkdtempSync(join(tmpdir(), 'jackalope-micro-'));
  const clock = new SystemClock();
  const fail = (error: unknown): never => {
    throw error;
  };
  const turn = new Turn(clock, fail);
  const stores = await openStores({
    directory,
    writer: 'bench:micro',
    clock,
    defer: (task) => turn.defer(TurnPhase.Commit, task),
    events: { failed: fail, recovered: () => {}, gaveUp: fail },
  });
  const { committer } = stores;
  let wake = (): void => {};
  committer.onDurable(() => wake());
  const durable = async (): Promise<void> => {
    const wanted = committer.openBatch;
    while (committer.durableCommit < wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const close = async (): Promise<void> => {
    await stores.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { stores, durable, close };
}
