/** What bench:compare runs, in this order: data only. The two that leave much behind in a broker come last. */

export interface ComparedScenario {
  /** Names the row; --only looks for text in it. */
  readonly name: string;
  /** Scenario and options of `jackalope bench`. */
  readonly command: readonly string[];
  /** The run lasts as long as --seconds says. */
  readonly timed: boolean;
  /** Which of the result's rates is the one that counts. */
  readonly rate: 'published' | 'delivered' | 'operations';
  /** The broker is not the limit: the rate is given, and the latency is what matters. */
  readonly fixedRate: boolean;
  readonly latency: 'delivery' | 'confirm' | 'operation';
  /** Rounds at most, for what takes long. */
  readonly mostRounds?: number;
}

const LONG_ROUNDS = 3;
const FIXED_RATE = '10000';
const SINGLE_ACKS = ['--qos', '200'];
const CONFIRMED = ['--flag', 'persistent', '--consumers', '0'];
const AUTO_ACK = ['--autoack'];

const timed = { timed: true, fixedRate: false, latency: 'delivery' } as const;
const counted = { timed: false, fixedRate: false, latency: 'operation', rate: 'operations' } as const;

function throughput(name: string, options: readonly string[], sizeBytes: number): ComparedScenario {
  const command = ['throughput', ...options, '--size', String(sizeBytes)];
  return { ...timed, name: `${name}, ${sizeText(sizeBytes)}`, command, rate: 'delivered' };
}

function durable(confirmWindow: number, sizeBytes: number): ComparedScenario {
  const command = ['throughput', ...CONFIRMED, '--confirm', String(confirmWindow), '--size', String(sizeBytes)];
  const name = `durable, confirm window ${confirmWindow}, ${sizeText(sizeBytes)}`;
  return { ...timed, name, command, rate: 'published', latency: 'confirm' };
}

function sizeText(sizeBytes: number): string {
  return sizeBytes < 1024 ? `${sizeBytes} B` : `${sizeBytes / 1024} KiB`;
}

export const SCENARIO_SET: readonly ComparedScenario[] = [
  ...[16, 1024, 16_384].map((bytes) => throughput('transient, auto-ack', AUTO_ACK, bytes)),
  ...[16, 1024].map((bytes) => throughput('single acks, prefetch 200', SINGLE_ACKS, bytes)),
  {
    ...timed,
    name: 'fan-out to 10 queues, 16 B',
    command: ['fan-out', '--queues', '10', ...AUTO_ACK, '--size', '16'],
    rate: 'delivered',
  },
  {
    ...timed,
    name: 'topic exchange, 1,000 bindings, 10,000 keys, 16 B',
    command: ['bindings', '--bindings', '1000', '--routing-keys', '10000', ...AUTO_ACK, '--size', '16'],
    rate: 'published',
  },
  ...[1, 100, 1000].flatMap((window) => (window === 1 ? [16] : [16, 1024]).map((bytes) => durable(window, bytes))),
  {
    ...timed,
    name: '10,000 msg/s, transient, 16 B',
    command: ['throughput', '--rate', FIXED_RATE, ...AUTO_ACK, '--size', '16'],
    rate: 'delivered',
    fixedRate: true,
  },
  {
    ...timed,
    name: '10,000 msg/s, durable, 16 B',
    command: ['throughput', '--rate', FIXED_RATE, ...CONFIRMED, '--confirm', '1000', '--size', '16'],
    rate: 'published',
    fixedRate: true,
    latency: 'confirm',
  },
  { ...counted, name: 'request-reply', command: ['request-reply'], timed: true },
  { ...counted, name: 'connection churn', command: ['connection-churn'], timed: true },
  {
    ...timed,
    name: '5,000 connections, 1 msg/s each',
    command: ['connection-count', '--connections', '5000'],
    rate: 'delivered',
    fixedRate: true,
    mostRounds: LONG_ROUNDS,
  },
  {
    ...counted,
    name: '10,000 queues, one message each',
    command: ['queue-count', '--queues', '10000'],
    mostRounds: LONG_ROUNDS,
  },
];
