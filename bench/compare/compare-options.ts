/** The command line of bench:compare. */
import { parseArgs } from 'node:util';
import { parseTarget } from '../load/handshake.js';

export const HELP = `npm run bench:compare -- [options]
  --rounds N        rounds, in each of which both brokers start anew (5); takes about 5 minutes each
  --seconds N       length of a run (5)
  --only TEXT       only scenarios with this text in their name; may be given several times
  --against URL     compare with the broker there instead of starting a RabbitMQ
  --against-pid PID its process, when it runs on this machine: for its CPU and memory
  --name NAME       of the other broker, for the report and its files (default: as it calls itself)
  --out DIRECTORY   where the report goes (bench/results)
`;

export interface CompareOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
  readonly against: string | undefined;
  readonly againstPid: number | undefined;
  readonly name: string | undefined;
  readonly out: string | undefined;
}

/** Undefined when help is asked for. Throws Error for a wrong option. */
export function parseCompareOptions(argv: readonly string[]): CompareOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [] },
      against: { type: 'string' },
      'against-pid': { type: 'string' },
      name: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const { against, 'against-pid': pid, name } = values;
  if (against !== undefined) checkUri(against);
  if (pid !== undefined && against === undefined) throw new Error('--against-pid goes with --against');
  if (name !== undefined && !/[a-z0-9]/i.test(name)) throw new Error('--name takes a text with letters or digits');
  return {
    rounds: wholeNumber('--rounds', values.rounds),
    seconds: wholeNumber('--seconds', values.seconds),
    only: values.only,
    against,
    againstPid: pid === undefined ? undefined : wholeNumber('--against-pid', pid),
    name,
    out: values.out,
  };
}

function wholeNumber(option: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || !Number.isSafeInteger(value)) throw new Error(`${option} takes a whole number from 1`);
  return value;
}

function checkUri(text: string): void {
  try {
    parseTarget(text);
  } catch {
    throw new Error('--against takes amqp://user:password@host:port/vhost');
  }
}
