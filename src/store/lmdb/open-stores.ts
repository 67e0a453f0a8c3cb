/**
 * Opens a data directory: the environment, the committer, and both stores on top of it.
 */
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../clock.js';
import type { TurnTask } from '../../core/turn.js';
import { Committer } from './committer.js';
import { damagedDirectory, type Environment, openEnvironment } from './environment.js';
import { LmdbDefinitionStore } from './lmdb-definition-store.js';
import { LmdbMessageStore } from './lmdb-message-store.js';
import { ReserveFile } from './reserve-file.js';
import { verifyRuns } from './verify.js';

export interface StoreEvents {
  /** Publishers must stop until `recovered`. */
  failed(error: unknown, attempt: number): void;
  recovered(): void;
  /** Nothing can be stored any more. */
  gaveUp(error: unknown): void;
}

export interface OpenStoresOptions {
  readonly directory: string;
  /** Name and version of this program. */
  readonly writer: string;
  readonly clock: Clock;
  /** Puts a task into the commit phase of the turn. */
  readonly defer: (task: TurnTask) => void;
  readonly events: StoreEvents;
}

export interface Stores {
  readonly messages: LmdbMessageStore;
  readonly definitions: LmdbDefinitionStore;
  readonly committer: Committer;
  /** Writes what is left and closes the files. Rejects when that fails. */
  close(): Promise<void>;
}

/** Below so much free space a failed write is taken for a full disk. */
const FULL_BELOW_BYTES = 4 * 1024 * 1024;

/** Rejects with DataDirectoryError when the directory cannot be used. */
export async function openStores({ directory, writer, clock, defer, events }: OpenStoresOptions): Promise<Stores> {
  const environment = await openEnvironment(directory, { writer, now: clock.wallTime() });
  const reserve = new ReserveFile(directory);
  reserve.take();
  const committer = new Committer(environment, clock, defer, () => judge(directory), {
    failed: (error, attempt) => {
      reserve.giveUp();
      events.failed(error, attempt);
    },
    recovered: () => events.recovered(),
    gaveUp: (error) => events.gaveUp(error),
  });
  try {
    const definitions = new LmdbDefinitionStore(committer, environment.tables.definitions.getRange());
    const messages = new LmdbMessageStore(environment, committer);
    if (environment.wasShort) verifyRuns(environment);
    return { messages, definitions, committer, close: () => closeStores(environment, committer, reserve) };
  } catch (error) {
    await environment.root.close();
    throw damagedDirectory(directory, error);
  }
}

async function closeStores(environment: Environment, committer: Committer, reserve: ReserveFile): Promise<void> {
  try {
    await committer.close();
  } finally {
    await environment.root.close();
    reserve.giveUp();
  }
}

async function judge(directory: string): Promise<'full' | 'broken'> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize < FULL_BELOW_BYTES ? 'full' : 'broken';
  } catch {
    return 'broken';
  }
}
