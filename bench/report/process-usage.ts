/**
 * The CPU time and memory that a process takes over a run: of this process, or of a broker given by its pid. CPU is
 * that of all its threads, user and system. Memory is sampled, since the kernel's own peak counts from the start of the
 * process and not from the start of the run.
 */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ProcessUsage } from '../result.js';

const SAMPLE_INTERVAL_MS = 200;
/** What Linux shows to programs is in hundredths of a second whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;
const PS_COLUMNS = ['-o', 'time=,rss='];

export interface UsageSample {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** How a process is read: `now` at both ends of the run; `between` must not block the load. Both throw when it is gone. */
interface UsageReader {
  now(): UsageSample;
  between(): Promise<UsageSample>;
}

export class UsageMeter {
  readonly #reader: UsageReader;
  #timer: NodeJS.Timeout | undefined;
  #atStart: UsageSample = { cpuSeconds: 0, rssBytes: 0 };
  #rssPeakBytes = 0;

  private constructor(reader: UsageReader) {
    this.#reader = reader;
  }

  static of(pid: number): UsageMeter {
    if (pid === process.pid) return UsageMeter.ofThisProcess();
    return new UsageMeter(process.platform === 'linux' ? linuxReader(pid) : psReader(pid));
  }

  static ofThisProcess(): UsageMeter {
    return new UsageMeter(blocking(readThisProcess));
  }

  /** Begins the measured time; again after a warm-up. Throws when there is no such process. */
  start(): void {
    this.close();
    this.#atStart = this.#reader.now();
    this.#rssPeakBytes = this.#atStart.rssBytes;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
  }

  /** What was used since `start`; `messages` is what the run published or did. Throws when the process is gone. */
  stop(messages: number): ProcessUsage {
    this.close();
    const { cpuSeconds: cpuAtEnd, rssBytes } = this.#reader.now();
    const cpuSeconds = cpuAtEnd - this.#atStart.cpuSeconds;
    return {
      cpuSeconds,
      cpuMicrosPerMessage: messages > 0 ? (cpuSeconds * 1e6) / messages : 0,
      rssBytes,
      rssPeakBytes: Math.max(this.#rssPeakBytes, rssBytes),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sample(): void {
    const note = ({ rssBytes }: UsageSample): void => {
      this.#rssPeakBytes = Math.max(this.#rssPeakBytes, rssBytes);
    };
    // A process that is gone is reported once, by `stop`.
    this.#reader.between().then(note, () => this.close());
  }
}

function readThisProcess(): UsageSample {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, rssBytes: process.memoryUsage.rss() };
}

/** For what is read in microseconds. */
function blocking(now: () => UsageSample): UsageReader {
  return { now, between: async () => now() };
}

function linuxReader(pid: number): UsageReader {
  return blocking(() => {
    try {
      return parseProc(readFileSync(`/proc/${pid}/stat`, 'utf8'), readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch (cause) {
      throw gone(pid, cause);
    }
  });
}

function psReader(pid: number): UsageReader {
  const columns = [...PS_COLUMNS, '-p', String(pid)];
  return {
    now: () => {
      try {
        return parsePs(execFileSync('ps', columns, { encoding: 'utf8' }));
      } catch (cause) {
        throw gone(pid, cause);
      }
    },
    between: () =>
      new Promise((resolve, reject) => {
        execFile('ps', columns, (error, output) => (error === null ? resolve(parsePs(output)) : reject(error)));
      }),
  };
}

function gone(pid: number, cause: unknown): Error {
  return new Error(`process ${pid} is not there (any more), so its CPU and memory cannot be measured`, { cause });
}

/** Of /proc/PID/stat and /proc/PID/status. The command's name stands in brackets and may contain anything. */
export function parseProc(stat: string, status: string): UsageSample {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  // A process that has ended but that nobody has asked for yet has no memory.
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined || !Number.isFinite(ticks)) throw new Error('the process has ended');
  return { cpuSeconds: ticks / TICKS_PER_SECOND, rssBytes: Number(kibibytes) * 1024 };
}

/** Of `ps -o time=,rss=`: [[days-]hours:]minutes:seconds and kibibytes. */
export function parsePs(output: string): UsageSample {
  const [, days, clock, kibibytes] = /^\s*(?:(\d+)-)?([\d:.]+)\s+(\d+)\s*$/.exec(output) ?? [];
  if (clock === undefined || kibibytes === undefined) throw new Error(`ps answered '${output.trim()}'`);
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return { cpuSeconds: Number(days ?? 0) * 86_400 + seconds, rssBytes: Number(kibibytes) * 1024 };
}
