/** `jackalope bench` as it is run: exit codes, what goes to which output, and Ctrl-C. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import { WireClient } from '../support/wire-client.js';
import { Command } from './command.js';

let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({ port: 0, logLevel: 'error' });
});
afterAll(() => broker.close());

function bench(...args: string[]): Command {
  return new Command(['bench', ...args, '--uri', broker.amqpUrl]);
}

describe('jackalope bench', () => {
  it('prints a table, and 0 when all is well', async () => {
    const { exitCode, stdout, stderr } = await bench('-C', '1000', '-a').finished();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/delivered +1,000/);
  });

  it('prints exactly one line with --json', async () => {
    const { exitCode, stdout } = await bench('throughput', '-C', '100', '--json').finished();
    expect(exitCode).toBe(0);
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ scenario: 'throughput', delivered: 100, errors: [] });
    expect(stdout).not.toContain('guest:guest');
  });

  it('answers 1 when a check fails', async () => {
    const args = ['-C', '10', '-e', 'd', '-t', 'topic', '-k', 'key', '--binding-key', 'other', '--drain', '0.1'];
    const { exitCode, stdout } = await bench(...args).finished();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/10.*lost|lost.*10/);
  });

  it('answers 1 with the words of a broker that refuses', async () => {
    const { exitCode, stdout } = await bench('-e', 'amq.direct', '-t', 'fanout', '-qa', 'x-max-length=no').finished();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('406 PRECONDITION_FAILED');
  });

  it('answers 2 to wrong options, on stderr', async () => {
    const { exitCode, stdout, stderr } = await bench('--nope').finished();
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^jackalope bench: unknown option --nope/);
  });

  it.each([[['--help']], [['backlog', '--help']]])('explains itself: %s', async (args) => {
    const { exitCode, stdout } = await bench(...args).finished();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: jackalope bench .*\n/);
    expect(stdout).toContain('--pmessages');
  });

  it('ends with a report on Ctrl-C', async () => {
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    const command = bench('-z', '3600', '-a', '-u', 'interrupted');
    await until(async () => {
      const other = await client.rpc(1, { name: 'queue.declare', queue: 'interrupted' }, 'queue.declare-ok');
      return other.consumerCount > 0;
    });
    command.signal('SIGINT');
    const { exitCode, stdout } = await command.finished();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('checks passed');
    await client.close();
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()));
}
