/**
 * Opens a data directory: the environment, the committer, and both stores on top of it.
 */
import { stat, statfs } from 'node:fs/promises';
import type { Clock, Timer } from '../../clock.js';
import type { TurnTask } from '../../core/turn.js';
import { Committer, type CommitterEvents, type FailureKind } from './committer.js';
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
  /** Room for what is to come: on the disk, and in the data file. */
  freeBytes(): Promise<number>;
  /** Writes what is left and closes the files. Rejects when that fails. */
  close(): Promise<void>;
}

/** Below so much free space a failed write is taken for a full disk. */
const FULL_BELOW_BYTES = 4 * 1024 * 1024;
/** Of the file's own free pages, too many are too small to be of use to count on all. */
const USABLE_SHARE = 0.8;
const RECOVERY_LOOK_MS = 500;

/** Rejects with DataDirectoryError when the directory cannot be used. */
export async function openStores({ directory, writer, clock, defer, events }: OpenStoresOptions): Promise<Stores> {
  const environment = await openEnvironment(directory, { writer, now: clock.wallTime() });
  const recovery = new Recovery(directory, environment, clock, events);
  const committer = new Committer(environment, clock, defer, () => recovery.judge(), recovery);
  try {
    const definitions = new LmdbDefinitionStore(committer, environment.tables.definitions.getRange());
    const messages = new LmdbMessageStore(environment, committer);
    recovery.messages = messages;
    if (environment.wasShort) verifyRuns(environment);
    const freeBytes = (): Promise<number> => recovery.freeBytes();
    return { messages, definitions, committer, freeBytes, close: () => closeStores(environment, committer, recovery) };
  } catch (error) {
    recovery.close();
    await environment.root.close();
    throw damagedDirectory(directory, error);
  }
}

/**
 * What follows a failed commit. The reserve is given up, so that consumers can make room, and publishers stay blocked
 * until there is some: the first commit that succeeds may owe that to the reserve alone.
 */
class Recovery implements CommitterEvents {
  messages: LmdbMessageStore | undefined;
  readonly #directory: string;
  readonly #dataFile: string;
  readonly #clock: Clock;
  readonly #events: StoreEvents;
  readonly #reserve: ReserveFile;
  #timer: Timer | undefined;

  constructor(directory: string, { dataFile }: Environment, clock: Clock, events: StoreEvents) {
    this.#directory = directory;
    this.#dataFile = dataFile;
    this.#clock = clock;
    this.#events = events;
    this.#reserve = new ReserveFile(directory);
    this.#reserve.take();
  }

  failed(error: unknown, attempt: number): void {
    this.#timer?.cancel();
    this.#reserve.giveUp();
    this.#events.failed(error, attempt);
  }

  recovered(): void {
    this.#timer?.cancel();
    void this.#look();
  }

  gaveUp(error: unknown): void {
    this.#events.gaveUp(error);
  }

  async judge(): Promise<FailureKind> {
    try {
      return (await this.#freeOnDisk()) < FULL_BELOW_BYTES ? 'full' : 'broken';
    } catch {
      return 'broken';
    }
  }

  /** On the disk, and inside the data file, which never shrinks. */
  async freeBytes(): Promise<number> {
    const { size } = await stat(this.#dataFile);
    const inFile = Math.max(0, size - (this.messages?.fileBytes ?? size));
    return (await this.#freeOnDisk()) + inFile * USABLE_SHARE;
  }

  close(): void {
    this.#timer?.cancel();
    this.#reserve.giveUp();
  }

  async #look(): Promise<void> {
    if (this.#reserve.take() || (await this.#hasRoom())) {
      this.#events.recovered();
      return;
    }
    this.#timer = this.#clock.after(RECOVERY_LOOK_MS, () => void this.#look());
  }

  async #hasRoom(): Promise<boolean> {
    try {
      return (await this.freeBytes()) >= FULL_BELOW_BYTES;
    } catch {
      return false;
    }
  }

  async #freeOnDisk(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory);
    return bavail * bsize;
  }
}

async function closeStores(environment: Environment, committer: Committer, recovery: Recovery): Promise<void> {
  try {
    await committer.close();
  } finally {
    await environment.root.close();
    recovery.close();
  }
}
