/**
 * Where a broker keeps what it has: a part of the composition root. On disk, the data directory with its lock, LMDB, the
 * scratch files of paging, and the watch over free space; in memory, none of it. Memory is watched in both.
 */
import { join } from 'node:path';
import type { Clock } from './clock.js';
import type { BrokerOptions } from './config.js';
import { logIdsOf } from './core/definitions.js';
import type { LogEnvironment } from './core/log/log-environment.js';
import { Pager } from './core/log/pager.js';
import { SegmentPool } from './core/log/segment-pool.js';
import { SharedBodies } from './core/log/shared-bodies.js';
import type { DefinitionStore } from './core/ports/definition-store.js';
import type { MessageStore } from './core/ports/message-store.js';
import { type Turn, TurnPhase } from './core/turn.js';
import type { Logger } from './logger.js';
import { DiskMonitor } from './resources/disk-monitor.js';
import { memoryLimitBytes } from './resources/memory-limit.js';
import { MemoryMonitor } from './resources/memory-monitor.js';
import { garbageCollector, ProcessMemory } from './resources/process-memory.js';
import type { Alarms } from './session/shared/flow-control.js';
import { lockDirectory } from './store/directory-lock.js';
import type { StoreEvents } from './store/lmdb/open-stores.js';
import { MemoryDefinitionStore, MemoryMessageStore } from './store/memory-store.js';
import { ScratchFileStore } from './store/scratch-file-store.js';
import { programName } from './version.js';

export interface Storage {
  readonly definitions: DefinitionStore;
  readonly logs: LogEnvironment;
  readonly memory: MemoryMonitor;
  /** Undefined in memory. */
  readonly disk: DiskMonitor | undefined;
  /** No log ever had a higher id. */
  readonly highestLogId: number;
  /** Writes what is left and lets go of everything. Rejects when it cannot be written. Idempotent. */
  close(): Promise<void>;
}

export interface StorageEnvironment {
  readonly options: BrokerOptions;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly alarms: Alarms;
  /** Nothing can be stored any more. */
  readonly onLost: (error: unknown) => void;
}

/** Every so many attempts in vain are worth a line in the log. */
const ATTEMPTS_A_LINE = 30;

/** Rejects with DataDirectoryError when the data directory cannot be used. */
export async function openStorage(environment: StorageEnvironment): Promise<Storage> {
  const { dataDirectory } = environment.options;
  const storage = dataDirectory === undefined ? inMemory(environment) : await onDisk(environment, dataDirectory);
  storage.memory.start();
  return storage;
}

function inMemory(environment: StorageEnvironment): Storage {
  const logs = logEnvironment(environment, new MemoryMessageStore(), undefined);
  const [memory, closeMemory] = memoryMonitor(environment, logs.pager);
  return {
    definitions: new MemoryDefinitionStore(),
    logs,
    memory,
    disk: undefined,
    highestLogId: 0,
    close: async () => closeMemory(),
  };
}

async function onDisk(environment: StorageEnvironment, folder: string): Promise<Storage> {
  const { clock, turn, log, alarms, options } = environment;
  const lock = await lockDirectory(folder, clock);
  const { directory } = lock;
  // What was opened, to be closed in the opposite order, also when the start fails halfway.
  const opened: (() => void | Promise<void>)[] = [() => lock.release()];
  const close = once(() => closeAll(opened));
  try {
    // Before the stores: their last batch may hold bodies that are on a scratch page.
    const scratch = new ScratchFileStore(join(directory, 'scratch'));
    opened.push(() => scratch.close());
    // Imported late: a broker in memory needs none of it.
    const { openStores } = await import('./store/lmdb/open-stores.js');
    const stores = await openStores({
      directory,
      writer: programName(),
      clock,
      defer: (task) => turn.defer(TurnPhase.Commit, task),
      events: storeEvents(environment),
    });
    opened.push(() => stores.close());
    // First, so that nothing else sees what deleted queues and exchanges left.
    stores.messages.keepOnly(logIds(stores.definitions));
    const logs = logEnvironment(environment, stores.messages, scratch);
    const [memory, closeMemory] = memoryMonitor(environment, logs.pager);
    opened.push(closeMemory);
    const limitBytes = options.diskFreeLimitBytes;
    const disk = new DiskMonitor({ clock, log, alarms, directory, limitBytes, freeBytes: () => stores.freeBytes() });
    opened.push(() => disk.close());
    await disk.start();
    const { definitions, messages } = stores;
    return { definitions, logs, memory, disk, highestLogId: messages.highestLogId, close };
  } catch (error) {
    // What stopped the start is what counts.
    await close().catch(() => {});
    throw error;
  }
}

/** The last first. What cannot be closed keeps nothing else open; rejects with the first failure. */
async function closeAll(opened: readonly (() => void | Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of [...opened].reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function logIds(definitions: DefinitionStore): Set<number> {
  const ids = new Set<number>();
  for (const definition of definitions.load()) {
    for (const id of logIdsOf(definition)) ids.add(id);
  }
  return ids;
}

function storeEvents({ log, alarms, onLost }: StorageEnvironment): StoreEvents {
  return {
    failed: (err, attempt) => {
      if (attempt % ATTEMPTS_A_LINE === 1) {
        log.error({ err, attempt }, 'a commit failed and is tried again: publishers are blocked, nothing is confirmed');
      }
      alarms.raise('disk', 'store');
    },
    recovered: () => {
      log.info('the commit that failed is on disk now');
      alarms.clear('disk', 'store');
    },
    gaveUp: onLost,
  };
}

function logEnvironment(
  { clock, turn, log }: StorageEnvironment,
  store: MessageStore,
  scratch: ScratchFileStore | undefined,
): LogEnvironment {
  const segments = new SegmentPool();
  const bodies = new SharedBodies({ store, scratch });
  for (const body of store.keepsMessages ? store.recoverBodies() : []) bodies.restore(body);
  const onWriteFailure = (): void =>
    log.error('messages cannot leave memory: writing them to the scratch files failed');
  const pager = new Pager({ turn, segments, bodies, store, scratch, onWriteFailure });
  return { clock, segments, bodies, store, pager };
}

function memoryMonitor(environment: StorageEnvironment, paging: Pager): [MemoryMonitor, () => void] {
  const { clock, log, alarms, options } = environment;
  const process = new ProcessMemory();
  let collect: (() => void) | undefined;
  const monitor = new MemoryMonitor({
    clock,
    log,
    alarms,
    paging,
    limitBytes: memoryLimitBytes(options.memoryLimit),
    sample: () => process.sample(),
    // Making one takes a context of its own, which most brokers never need.
    collectGarbage: () => {
      collect ??= garbageCollector();
      collect();
    },
  });
  const close = (): void => {
    monitor.close();
    process.close();
  };
  return [monitor, close];
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= action();
    return done;
  };
}
