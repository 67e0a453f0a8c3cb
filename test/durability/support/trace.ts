/**
 * Reads what strace wrote of a broker: which writes to the data file a finished sync covers, and which confirm left
 * after which sync. A call that another thread interrupts in the trace has a line for its begin and one for its end.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const TRACED = 'read,write,writev,pwrite64,pwritev,lseek,fdatasync,fsync,openat';
/** Enough for the method frame at the start of what a socket carries. */
const TEXT_BYTES = 40;

export function canTrace(): boolean {
  try {
    execFileSync('strace', ['-qq', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function tracer(file: string): string[] {
  return ['strace', '-f', '-qq', '-yy', '-s', String(TEXT_BYTES), '-e', `trace=${TRACED}`, '-o', file];
}

interface Call {
  readonly thread: string;
  readonly name: string;
  readonly text: string;
  readonly begin: number;
  /** Infinity when it had not ended. */
  readonly end: number;
}

const LINE = /^(\d+)\s+(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))$/;
const UNFINISHED = ' <unfinished ...>';

/** The calls in the order in which they began; `begin` and `end` are numbers of lines. */
function callsOf(file: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, number>();
  for (const [number, line] of readFileSync(file, 'latin1').split('\n').entries()) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, thread = '', resumed, rest = '', name = '', args = ''] = match;
    if (resumed !== undefined) {
      const index = open.get(thread);
      const call = index === undefined ? undefined : calls[index];
      if (index === undefined || call === undefined) continue;
      calls[index] = { ...call, text: call.text + rest, end: number };
      open.delete(thread);
    } else if (args.endsWith(UNFINISHED)) {
      open.set(thread, calls.length);
      calls.push({
        thread,
        name,
        text: args.slice(0, -UNFINISHED.length),
        begin: number,
        end: Number.POSITIVE_INFINITY,
      });
    } else calls.push({ thread, name, text: args, begin: number, end: number });
  }
  return calls;
}

const SYNCS = new Set(['fdatasync', 'fsync']);
const WRITES = new Set(['pwrite64', 'writev', 'pwritev']);
const DESCRIPTOR = /^(\d+)<([^>]*)>/;
const RESULT = /= (-?\d+)[^=]*$/;

export interface Range {
  readonly start: number;
  readonly end: number;
}

interface StoreCall extends Call {
  readonly descriptor: string;
  readonly range: Range | undefined;
}

/** What was done to the data file, with the place of each write. */
class StoreTrace {
  readonly calls: StoreCall[] = [];
  /** Descriptors on which a write has reached the disk when it returns. */
  readonly synchronous = new Set<string>();

  constructor(calls: readonly Call[], dataFile: string) {
    const seeks = new Map<string, number>();
    for (const call of calls) {
      if (call.name === 'openat' && call.text.includes(`"${dataFile}"`) && call.text.includes('O_DSYNC')) {
        const opened = /= (\d+)</.exec(call.text)?.[1];
        if (opened !== undefined) this.synchronous.add(opened);
      }
      const [, descriptor, path] = DESCRIPTOR.exec(call.text) ?? [];
      if (descriptor === undefined || path !== dataFile) continue;
      if (call.name === 'lseek') seeks.set(call.thread, Number(RESULT.exec(call.text)?.[1]));
      const range = WRITES.has(call.name) ? rangeOf(call, seeks.get(call.thread)) : undefined;
      if (range !== undefined || SYNCS.has(call.name)) this.calls.push({ ...call, descriptor, range });
    }
  }

  isSynchronous(call: StoreCall): boolean {
    return this.synchronous.has(call.descriptor);
  }
}

function rangeOf({ name, text }: Call, seek: number | undefined): Range {
  // A long vector is shortened in the trace; its result is not.
  const vector = () => Number(RESULT.exec(text)?.[1] ?? sum(text.matchAll(/iov_len=(\d+)/g)));
  if (name === 'writev' && seek !== undefined) return { start: seek, end: seek + vector() };
  const pattern = name === 'pwritev' ? /\], ()\d+, (\d+)(?:\) =|$)/ : /, (\d+), (\d+)(?:\) +=|$)/;
  const [, bytes, offset] = pattern.exec(text) ?? [];
  if (offset === undefined) throw new Error(`a write of unknown place: ${name} ${text}`);
  return { start: Number(offset), end: Number(offset) + (name === 'pwritev' ? vector() : Number(bytes)) };
}

function sum(matches: Iterable<RegExpExecArray>): number {
  return [...matches].reduce((total, [, bytes]) => total + Number(bytes), 0);
}

/** The data file at a moment at which power may have gone. */
export interface PowerCut {
  /** No commit covers them: of each, any part may be lost. */
  readonly unsafe: readonly Range[];
  /** Not yet begun. */
  readonly lost: readonly Range[];
  /** How long the file was at least. */
  readonly safeBytes: number;
  /** The last confirm that had left; undefined when the moment is the end of the trace. */
  readonly confirmed: number | undefined;
}

/**
 * The end of the trace, or with `rewound` the moment before the last finished commit wrote its meta page. Either way the
 * writes are unsafe that came after the data of the last commit began to be synced. A sync that has returned since
 * counts as if it had not, because power may have gone just before it did; nothing may be confirmed in between.
 */
export function powerCutAt(file: string, dataFile: string, rewound: boolean): PowerCut {
  const calls = callsOf(file);
  const trace = new StoreTrace(calls, dataFile);
  const finished = commitsOf(trace).filter(({ end }) => end !== Number.POSITIVE_INFINITY);
  const undone = rewound ? finished.pop() : undefined;
  const lastSync = finished.at(-1)?.begin ?? -1;
  const now = undone?.meta.begin ?? Number.POSITIVE_INFINITY;
  const cut = { unsafe: [] as Range[], lost: [] as Range[], safeBytes: 0 };
  for (const call of trace.calls) {
    if (call.range === undefined) continue;
    const isSafe = trace.isSynchronous(call) ? call.end !== Number.POSITIVE_INFINITY : call.end <= lastSync;
    if (call.begin >= now) cut.lost.push(call.range);
    else if (isSafe) cut.safeBytes = Math.max(cut.safeBytes, call.range.end);
    else cut.unsafe.push(call.range);
  }
  const confirms = calls.filter((call) => call.name === 'write' && call.begin < now && CONFIRM.test(call.text));
  return { ...cut, confirmed: undone === undefined ? undefined : Math.max(0, ...confirms.map(tagOf)) };
}

const PUBLISH = /^\d+<TCP[^"]*"\\1\\0\\1\\0\\0\\0\S{1,4}?\\0<\\0\(/;
const CONFIRM = /^\d+<TCP[^"]*"\\1\\0\\1\\0\\0\\0\\r\\0<\\0P/;

/** Of the confirm at the start of a write. */
function tagOf({ text }: Call): number {
  const quoted = /"(.*)"/.exec(text)?.[1] ?? '';
  const named = new Map(Object.entries({ n: 10, r: 13, t: 9, v: 11, f: 12, '"': 34, '\\': 92 }));
  const bytes: number[] = [];
  for (const [, octal, letter, plain = ''] of quoted.matchAll(/\\([0-7]{1,3})|\\(.)|(.)/g)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(letter === undefined ? plain.charCodeAt(0) : (named.get(letter) ?? 0));
  }
  const tagAt = 7 + 4;
  return bytes.slice(tagAt, tagAt + 8).reduce((tag, byte) => tag * 256 + byte, 0);
}

export interface OrderReport {
  readonly confirms: number;
  readonly commits: number;
  /** Confirms that left before what they confirm was on disk. */
  readonly early: readonly string[];
}

/**
 * For publishers that wait for each confirm: between the read that brought the publish and the write that carries the
 * confirm there must be a commit. That is a sync of the data, begun after the read, and then the write of LMDB's meta
 * page with a sync of its own (by O_DSYNC or a later call), all of them returned.
 */
export function confirmOrder(file: string, dataFile: string): OrderReport {
  const calls = callsOf(file);
  const commits = commitsOf(new StoreTrace(calls, dataFile));
  const publishes = new Map<string, Call>();
  const early: string[] = [];
  let confirms = 0;
  for (const call of calls) {
    const descriptor = DESCRIPTOR.exec(call.text)?.[1] ?? '';
    if (call.name === 'read' && PUBLISH.test(call.text)) publishes.set(descriptor, call);
    if (call.name !== 'write' && call.name !== 'writev') continue;
    if (!CONFIRM.test(call.text)) continue;
    confirms++;
    const publish = publishes.get(descriptor);
    if (publish === undefined) throw new Error(`a confirm without a publish on ${descriptor}`);
    const covers = commits.some(({ begin, end }) => begin > publish.begin && end <= call.begin);
    if (!covers) early.push(`line ${call.begin + 1}: confirm of the publish of line ${publish.begin + 1}`);
  }
  return { confirms, commits: commits.length, early };
}

interface Commit {
  /** The sync of the data. */
  readonly begin: number;
  readonly meta: StoreCall;
  /** The moment from which it survives. */
  readonly end: number;
}

function commitsOf(trace: StoreTrace): Commit[] {
  const isSync = (call: StoreCall) => SYNCS.has(call.name) && /\)\s+= 0/.test(call.text);
  const commits: Commit[] = [];
  for (const meta of trace.calls) {
    if (meta.range === undefined || meta.range.start >= 8192) continue;
    const before = trace.calls.filter((call) => isSync(call) && call.end < meta.begin).at(-1);
    if (before === undefined) continue;
    const after = trace.calls.find((call) => isSync(call) && call.begin > meta.end);
    const end = trace.isSynchronous(meta) ? meta.end : (after?.end ?? Number.POSITIVE_INFINITY);
    commits.push({ begin: before.begin, meta, end });
  }
  return commits;
}
