/**
 * One broker a data directory. Node has no file locks, so a broker listens on a Unix domain socket in the directory:
 * the system closes it when the process ends, however it ends, and processes in other containers see it too.
 *
 * Every starter listens on a socket under a name of its own, so that removing what a dead process left can never hit
 * a living one. It listens first and looks second: of two starters at least one sees the other. Whoever is seen
 * answers once it has decided, with its process id when it holds the directory and with nothing when it gave way. A
 * starter gives way to a holder and to any starter whose name sorts before its own, and waits for the others' answers.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, realpath, rename, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../clock.js';
import { DataDirectoryError, dataDirectoryError } from './data-directory-error.js';

/** sockaddr_un takes 103 bytes on macOS and 107 on Linux; a longer path is cut off without an error. */
const LONGEST_SOCKET_PATH = 100;
/** A starter that was stopped before it decided must not hold up others for good. */
const ANSWER_TIMEOUT_MS = 5000;
/** `broker-PID-RANDOM.sock`; with `.new` while it does not listen yet. */
const SOCKET_NAME = /^broker-(\d+)-[0-9a-f]{16}\.sock$/;
const UNFINISHED_NAME = /^broker-\d+-[0-9a-f]{16}\.new$/;
/** What file systems without sockets answer to a bind. */
const NO_SOCKETS_HERE = ['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'];

export interface DirectoryLock {
  /** The directory as the system knows it, without links. */
  readonly directory: string;
  /** Lets others have it. Idempotent. */
  release(): Promise<void>;
}

/**
 * Creates the directory if need be and takes it for this broker. Rejects with DataDirectoryError when another broker,
 * of this process or another, has it.
 */
export async function lockDirectory(directory: string, clock: Clock): Promise<DirectoryLock> {
  let path: string;
  try {
    await mkdir(directory, { recursive: true });
    path = await realpath(directory);
    if (process.platform === 'win32') return await lockByPipe(path);
    return await lockBySocket(path, clock);
  } catch (error) {
    throw dataDirectoryError(directory, error);
  }
}

async function lockBySocket(directory: string, clock: Clock): Promise<DirectoryLock> {
  const candidate = await listenIn(directory);
  try {
    const holder = await candidate.holder(clock);
    if (holder !== undefined) throw inUse(directory, holder);
    await candidate.hold();
  } catch (error) {
    await candidate.close();
    throw error;
  }
  return { directory, release: () => candidate.close() };
}

async function listenIn(directory: string): Promise<Candidate> {
  try {
    return await Candidate.listen(await SocketFolder.open(directory));
  } catch (error) {
    if (!NO_SOCKETS_HERE.includes(codeOf(error))) throw error;
  }
  // Keeps brokers of this machine apart, though not those of other containers.
  return await Candidate.listen(await SocketFolder.open(await substituteFolder(directory)));
}

async function substituteFolder(directory: string): Promise<string> {
  const folder = join(await realpath(tmpdir()), `jackalope-${digest(directory)}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** A broker that listens and has not decided, or holds the directory. */
class Candidate {
  readonly #folder: SocketFolder;
  readonly #id = `broker-${process.pid}-${randomBytes(8).toString('hex')}`;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'undecided' | 'holder' | 'closed' = 'undecided';

  private constructor(folder: SocketFolder) {
    this.#folder = folder;
    this.#server = createServer((socket) => this.#accepted(socket));
    this.#server.unref();
  }

  static async listen(folder: SocketFolder): Promise<Candidate> {
    const candidate = new Candidate(folder);
    try {
      await candidate.#listen();
    } catch (error) {
      await candidate.close();
      throw error;
    }
    return candidate;
  }

  get #name(): string {
    return `${this.#id}.sock`;
  }

  /** A socket exists before it listens and would look dead in between, so it gets its name afterwards. */
  async #listen(): Promise<void> {
    const unfinished = `${this.#id}.new`;
    await listening(this.#server, this.#folder.addressOf(unfinished));
    this.#server.on('error', () => {});
    try {
      await rename(this.#folder.pathOf(unfinished), this.#folder.pathOf(this.#name));
    } catch (error) {
      // Only a holder removes unfinished ones: it will be found.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  /** The process id of the broker to give way to, or undefined. */
  async holder(clock: Clock): Promise<string | undefined> {
    const names = (await readdir(this.#folder.path)).sort();
    for (const name of names) {
      const pid = SOCKET_NAME.exec(name)?.[1];
      if (pid === undefined || name === this.#name) continue;
      const answer = await this.#ask(name, pid, name < this.#name, clock);
      if (answer !== undefined) return answer;
    }
    return names.includes(this.#name) ? undefined : 'unknown';
  }

  async hold(): Promise<void> {
    this.#state = 'holder';
    for (const socket of this.#sockets) socket.end(String(process.pid));
    for (const name of await readdir(this.#folder.path)) {
      if (UNFINISHED_NAME.test(name)) await removed(this.#folder.pathOf(name));
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await removed(this.#folder.pathOf(this.#name));
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#folder.close();
  }

  /** `comesFirst`: what is alive at all has precedence. */
  async #ask(name: string, pid: string, comesFirst: boolean, clock: Clock): Promise<string | undefined> {
    const socket = createConnection(this.#folder.addressOf(name));
    const late = clock.after(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    try {
      return await answerOf(socket, comesFirst ? pid : undefined);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EACCES' || code === 'EPERM') throw error;
      if (['ECONNRESET', 'ENOENT', 'EPIPE'].includes(code)) return undefined;
      if (code !== 'ECONNREFUSED') return pid;
      await removed(this.#folder.pathOf(name));
      return undefined;
    } finally {
      late.cancel();
      socket.destroy();
    }
  }

  #accepted(socket: Socket): void {
    socket.unref();
    socket.on('error', () => {});
    this.#sockets.add(socket.once('close', () => this.#sockets.delete(socket)));
    if (this.#state === 'holder') socket.end(String(process.pid));
    if (this.#state === 'closed') socket.destroy();
  }
}

/** A folder of sockets, also where its path is too long for an address. */
class SocketFolder {
  readonly path: string;
  readonly #handle: FileHandle | undefined;

  private constructor(path: string, handle: FileHandle | undefined) {
    this.path = path;
    this.#handle = handle;
  }

  static async open(path: string): Promise<SocketFolder> {
    const longest = join(path, `broker-${process.pid}-${'0'.repeat(16)}.sock`.padEnd(40));
    if (Buffer.byteLength(longest) <= LONGEST_SOCKET_PATH) return new SocketFolder(path, undefined);
    if (process.platform !== 'linux') return new SocketFolder(await substituteFolder(path), undefined);
    return new SocketFolder(path, await open(path, 'r'));
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  addressOf(name: string): string {
    return this.#handle === undefined ? this.pathOf(name) : `/proc/self/fd/${this.#handle.fd}/${name}`;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

/** A named pipe has one first instance, and goes with its process. */
async function lockByPipe(directory: string): Promise<DirectoryLock> {
  const pipe = `\\\\.\\pipe\\jackalope-${digest(directory.toLowerCase())}`;
  const server = createServer((socket) => socket.on('error', () => {}).end(String(process.pid)));
  server.unref();
  try {
    await listening(server, pipe);
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw inUse(directory, (await answerOf(createConnection(pipe), undefined).catch(() => undefined)) ?? 'unknown');
  }
  server.on('error', () => {});
  return { directory, release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function listening(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What the other end says before it closes, undefined when that is nothing; or `onConnect` as soon as it is there. */
function answerOf(socket: Socket, onConnect: string | undefined): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('connect', () => onConnect !== undefined && resolve(onConnect));
    socket.on('data', (part) => {
      text += part;
    });
    socket.once('end', () => resolve(text === '' ? undefined : text));
    socket.once('close', () => resolve(text === '' ? undefined : text));
  });
}

async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function inUse(directory: string, pid: string): DataDirectoryError {
  const who = pid === 'unknown' ? 'another broker' : `another broker (pid ${pid})`;
  return new DataDirectoryError(`data directory '${directory}' is in use by ${who}`);
}

function digest(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
