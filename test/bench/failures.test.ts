/** What a broker can do wrong, done to a good one by a proxy: the load generator must say so. */
import { Buffer } from 'node:buffer';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../../bench/options.js';
import type { BenchResult } from '../../bench/result.js';
import { runScenario } from '../../bench/scenarios/registry.js';
import { throughput } from '../../bench/scenarios/throughput.js';
import { type Broker, startBroker } from '../../src/index.js';
import { Random, seedOf } from '../support/random.js';
import { methodFrame } from '../support/wire-frames.js';
import { type Change, CommandProxy } from './command-proxy.js';

let broker: Broker;
let proxy: CommandProxy | undefined;

beforeAll(async () => {
  broker = await startBroker({ port: 0, logLevel: 'error' });
});
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});
afterAll(() => broker.close());

async function runBehind(change: Change, argv: readonly string[], pieceBytes?: () => number): Promise<BenchResult> {
  proxy = await CommandProxy.start(Number(new URL(broker.amqpUrl).port), change, pieceBytes);
  return runScenario(throughput, parseArguments(['--uri', proxy.url, '--drain', '0.2', ...argv], throughput));
}

/** Does something to the 100th delivery and lets everything else through. */
function onDelivery(change: (bytes: Buffer) => Buffer[]): Change {
  return ({ name, number, bytes }) => (name === 'basic.deliver' && number === 100 ? change(bytes) : [bytes]);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
}

const GOOD = { passed: true, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 };

describe('deliveries', () => {
  const argv = ['-C', '500', '-a', '-s', '40'];

  it.each<[string, Change, Partial<typeof GOOD>]>([
    ['lost', onDelivery(() => []), { lost: 1 }],
    ['duplicated', onDelivery((bytes) => [bytes, bytes]), { duplicated: 1 }],
    ['corrupted at the end', onDelivery((bytes) => [flipped(bytes, bytes.length - 2)]), { corrupted: 1, lost: 1 }],
    ['of another producer', onDelivery((bytes) => [flipped(bytes, bytes.length - 34)]), { corrupted: 1, lost: 1 }],
    ['of another run', onDelivery((bytes) => [flipped(bytes, bytes.length - 26)]), { corrupted: 1, lost: 1 }],
  ])('%s', async (_name, change, expected) => {
    const { checks, errors } = await runBehind(change, argv);
    expect(checks).toEqual({ ...GOOD, passed: false, ...expected });
    expect(errors).toEqual([]);
  });

  it('out of order', async () => {
    let held: Buffer | undefined;
    const { checks } = await runBehind(({ name, number, bytes }) => {
      if (name !== 'basic.deliver' || number < 100 || number > 101) return [bytes];
      if (number === 101) return [bytes, held ?? bytes];
      held = bytes;
      return [];
    }, argv);
    expect(checks).toEqual({ ...GOOD, passed: false, outOfOrder: 1 });
  });

  it('redelivered', async () => {
    const redelivered = onDelivery((bytes) => {
      // type, channel, size, ids, consumer tag, delivery tag
      return [flipped(bytes, 7 + 4 + 1 + bytes.readUInt8(11) + 8)];
    });
    const { checks } = await runBehind(redelivered, argv);
    expect(checks).toEqual({ ...GOOD, passed: false, corrupted: 1, lost: 1 });
  });

  it('only counted, lost and duplicated', async () => {
    expect(
      (
        await runBehind(
          onDelivery(() => []),
          ['-C', '500', '-a', '-s', '4'],
        )
      ).checks.lost,
    ).toBe(1);
    await proxy?.close();
    expect(
      (
        await runBehind(
          onDelivery((b) => [b, b]),
          ['-C', '500', '-a', '-s', '4'],
        )
      ).checks.duplicated,
    ).toBe(1);
  });
});

describe('confirms', () => {
  it.each<[string, (bytes: Buffer) => Buffer[], RegExp]>([
    ['twice', (bytes) => [bytes, bytes], /^\d+ confirms of messages confirmed before or never published$/],
    ['never', () => [], /^\d+ messages were not confirmed$/],
  ])('%s', async (_name, change, error) => {
    const onFifth: Change = ({ name, number, bytes }) =>
      name === 'basic.ack' && number === 5 ? change(bytes) : [bytes];
    const { errors } = await runBehind(onFifth, ['-C', '20', '-c', '1', '-a', '-z', '1']);
    expect(errors).toEqual([expect.stringMatching(error)]);
  });

  it('as nacks', async () => {
    const nacking: Change = ({ name, number, bytes }) =>
      name === 'basic.ack' && number === 5 ? [methodFrame(1, { name: 'basic.nack', deliveryTag: 5 })] : [bytes];
    const result = await runBehind(nacking, ['-C', '20', '-c', '1', '-a']);
    expect(result).toMatchObject({ confirmed: 19, nacked: 1, errors: [] });
  });
});

describe('a connection that ends', () => {
  const close = { replyCode: 320, replyText: 'CONNECTION_FORCED - broker forced connection closure' } as const;

  it.each<[string, Buffer, RegExp]>([
    [
      'by connection.close',
      methodFrame(0, { name: 'connection.close', ...close }),
      /connection: 320 CONNECTION_FORCED/,
    ],
    ['by channel.close', methodFrame(1, { name: 'channel.close', ...close }), /channel: 320 CONNECTION_FORCED/],
    ['by basic.cancel', methodFrame(1, { name: 'basic.cancel', consumerTag: 'c' }), /cancelled consumer c/],
    ['over nonsense', Buffer.from('nonsense'), /makes no sense/],
  ])('%s', async (_name, bytes, error) => {
    const { errors } = await runBehind(
      onDelivery(() => [bytes]),
      ['-z', '3600', '-a'],
    );
    expect(errors).toEqual([expect.stringMatching(error)]);
  });
});

describe('bytes', () => {
  it('may come in pieces cut anywhere', async () => {
    const random = new Random(seedOf('pieces cut anywhere'));
    const pieces = (): number => 1 + random.below(random.pick([3, 30, 300]));
    const argv = ['-C', '300', '-c', '20', '-q', '20', '-s', '16,300'];
    const result = await runBehind(({ bytes }) => [bytes], argv, pieces);
    expect(result).toMatchObject({ delivered: 300, confirmed: 300, errors: [], checks: GOOD });
    expect(result.latency?.count).toBe(300);
  });
});
