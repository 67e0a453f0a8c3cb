/** The command line of the load generator: PerfTest's and lavinmqperf's names, and what it says of mistakes. */
import { describe, expect, it } from 'vitest';
import { parseTarget, publicUrl } from '../../../bench/load/handshake.js';
import { OPTIONS, optionHelp, parseArguments } from '../../../bench/options.js';
import { SCENARIOS, scenarioNamed } from '../../../bench/scenarios/registry.js';
import { throughput } from '../../../bench/scenarios/throughput.js';

describe('options', () => {
  it.each<[string, object]>([
    ['', { producers: 1, consumers: 1, sizesBytes: [16], seconds: undefined, queue: 'perf-test', autoAck: false }],
    ['-x 2 -y 3 -s 100 -z 5', { producers: 2, consumers: 3, sizesBytes: [100], seconds: 5 }],
    ['--producers 2 --consumers 3 --size 100 --time 5', { producers: 2, consumers: 3, sizesBytes: [100], seconds: 5 }],
    ['--publishers=2 --size=16,1024', { producers: 2, sizesBytes: [16, 1024] }],
    ['-u q -e ex -t topic -k key', { queue: 'q', exchange: 'ex', exchangeType: 'topic', routingKey: 'key' }],
    ['-c 10 -q 20 -a', { confirmWindow: 10, prefetch: 20, autoAck: true }],
    ['-A 5 -P 7 -Q 9', { ackEvery: 5, prefetch: 7, channelPrefetch: 9 }],
    ['-f persistent -f mandatory', { flags: ['persistent', 'mandatory'] }],
    ['-r 1000.5 -C 7 -D 8', { ratePerSecond: 1000.5, messagesPerProducer: 7, messagesPerConsumer: 8 }],
    ['-qp q-%d -qpf 2 -qpt 4', { queuePattern: 'q-%d', queuePatternFrom: 2, queuePatternTo: 4 }],
    ['-qa x-max-length=10,a=b,c=true', { queueArguments: { 'x-max-length': 10, a: 'b', c: true } }],
    ['-qa {"x-max-length":10}', { queueArguments: { 'x-max-length': 10 } }],
  ])("reads '%s'", (line, expected) => {
    expect(parseArguments(line.split(' ').filter(Boolean), throughput)).toMatchObject(expected);
  });

  it.each([
    ['--nope', 'unknown option --nope; jackalope bench --help lists the scenarios and their options'],
    ['word', "unknown option 'word'; jackalope bench --help lists the scenarios and their options"],
    ['--operations 5', '--operations means nothing to throughput; jackalope bench throughput --help lists its options'],
    ['-x', '-x needs a value: give a whole number from 0'],
    ['-x -1', "-x '-1' is not valid: give a whole number from 0"],
    ['-x 1.5', "-x '1.5' is not valid: give a whole number from 0"],
    ['-c 0', "-c '0' is not valid: give a whole number from 1"],
    ['-s 16,', "-s '16,' is not valid: give bytes up to 134217728, or several such as 16,1024"],
    ['-t funny', "-t 'funny' is not valid: give direct, fanout, topic, headers"],
    ['-f fast', "-f 'fast' is not valid: give persistent or mandatory"],
    ['-z 0', "-z '0' is not valid: give seconds above 0"],
    ['-qp q', "-qp 'q' is not valid: give a name with % for the queue's number"],
    ['-qa x', "-qa 'x' is not valid: give KEY=VALUE,... or a JSON object of texts, numbers and booleans"],
    ['--uri http://secret@host', '--uri is not valid: give amqp://user:password@host:port/vhost'],
    ['--json=1', '--json takes no value'],
    ['--broker-pid me', "--broker-pid 'me' is not valid: give the number of a process"],
  ])("refuses '%s'", (line, text) => {
    expect(() => parseArguments(line.split(' '), throughput)).toThrow(text);
  });

  it('have each name once', () => {
    const names = Object.values(OPTIONS).flatMap(({ flags }) => flags);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    'of %s are in its help',
    (name, scenario) => {
      expect(scenarioNamed(name)).toBe(scenario);
      const help = optionHelp(scenario);
      for (const option of scenario.options) expect(help).toContain(OPTIONS[option].flags.at(-1));
      expect(help).not.toMatch(/\[object|undefined|default \)/);
      for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    },
  );
});

describe('a target', () => {
  it.each([
    ['amqp://', { host: '127.0.0.1', port: 5672, username: 'guest', password: 'guest', virtualHost: '/' }],
    ['amqp://u:p%2F@h:1/v%2Fh', { host: 'h', port: 1, username: 'u', password: 'p/', virtualHost: 'v/h' }],
    ['amqp://[::1]:5673/', { host: '::1', port: 5673, virtualHost: '/' }],
  ])('is read from %s', (url, expected) => {
    expect(parseTarget(url)).toMatchObject(expected);
  });

  it('is shown without its password', () => {
    expect(publicUrl(parseTarget('amqp://user:secret@[::1]:5673/v%2Fh'))).toBe('amqp://[::1]:5673/v%2Fh');
  });
});
