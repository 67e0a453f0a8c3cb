import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeProperties } from '../../../../protocol/amqp/properties.js';
import { RecordReader, RecordSource } from '../../../../src/core/log/record.js';
import { Turn } from '../../../../src/core/turn.js';
import { TurnOutput } from '../../../../src/session/shared/turn-output.js';
import { MessageFrame } from '../../../../src/session/stomp/message-frame.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { MemoryTransport } from '../../../support/memory-transport.js';
import { seedOf } from '../../../support/random.js';

const seed = seedOf('message-frame');

interface Drawn {
  readonly subscription: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly contentType: string;
  readonly headerBytes: number;
  readonly body: string;
  readonly redelivered: boolean;
  readonly tagStep: number;
  readonly flushes: boolean;
}

/** Few of each, so that one message often repeats another in all but a little. */
const message: fc.Arbitrary<Drawn> = fc.record({
  subscription: fc.constantFrom(0, 0, 0, 1),
  exchange: fc.constantFrom('', '', 'amq.topic', 'x'),
  routingKey: fc.constantFrom('a', 'a', 'b'),
  contentType: fc.constantFrom('text/plain', 'text/plain', 'text/x', 'x'.repeat(255)),
  headerBytes: fc.constantFrom(0, 0, 1, 1, 5000),
  body: fc.constantFrom('x', 'y', 'xyz', '', 'b'.repeat(3000), 'b'.repeat(200_000)),
  redelivered: fc.constantFrom(false, false, false, true),
  tagStep: fc.constantFrom(1, 1, 1, 7, 80, 1000),
  flushes: fc.constantFrom(false, false, false, false, true),
});

function recordOf({ exchange, routingKey, contentType, headerBytes, body, redelivered }: Drawn): RecordReader {
  const source = new RecordSource();
  source.route = Buffer.from([
    exchange.length,
    ...Buffer.from(exchange),
    routingKey.length,
    ...Buffer.from(routingKey),
  ]);
  source.routeEnd = source.route.length;
  const value = { type: 'S', value: 'h'.repeat(headerBytes) } as const;
  source.properties = encodeProperties({ contentType, ...(headerBytes > 0 && { headers: [['h', value]] }) });
  source.propertiesEnd = source.properties.length;
  source.body = Buffer.from(body);
  source.bodyEnd = source.body.length;
  const record = new RecordReader();
  record.showSource(source);
  record.redelivered = redelivered;
  return record;
}

/** How the frame reads, by the letter. */
function expected(id: number, version: string, tag: number, drawn: Drawn): string {
  const { exchange, routingKey, contentType, headerBytes, body, redelivered } = drawn;
  const path = exchange === '' ? '/queue/' : exchange === 'amq.topic' ? '/topic/' : '/exchange/x/';
  const messageId = `T_${id}@@session-1@@${tag}`;
  const lines = [
    `subscription:${id}`,
    `destination:${path}${routingKey}`,
    `message-id:${messageId}`,
    `redelivered:${redelivered}`,
    ...(version === '1.2' ? [`ack:${messageId}`] : []),
    ...(headerBytes > 0 ? [`h:${'h'.repeat(headerBytes)}`] : []),
    `content-type:${contentType}`,
    ...(body === '' ? [] : [`content-length:${body.length}`]),
  ];
  return `MESSAGE\n${lines.join('\n')}\n\n${body}\0\n`;
}

/** What a client gets when these are sent one after the other, and what it should get. */
function sent(messages: readonly Drawn[], version: string): readonly [got: string, wanted: string] {
  const clock = new FakeClock();
  const transport = new MemoryTransport(clock);
  const output = new TurnOutput(transport, new Turn(clock, () => {}));
  const sendsAck = version === '1.2';
  const frames = [0, 1].map(
    (id) => new MessageFrame(output, { tag: `T_${id}`, id: String(id), sessionId: 'session-1', sendsAck }),
  );
  let [tag, wanted] = [0, ''];
  for (const drawn of messages) {
    tag += drawn.tagStep;
    frames[drawn.subscription]?.write(tag, recordOf(drawn));
    wanted += expected(drawn.subscription, version, tag, drawn);
    if (drawn.flushes) clock.settle();
  }
  clock.settle();
  return [transport.take().toString(), wanted];
}

const PLAIN: Drawn = {
  subscription: 0,
  exchange: '',
  routingKey: 'a',
  contentType: 'text/plain',
  headerBytes: 1,
  body: 'x',
  redelivered: false,
  tagStep: 1,
  flushes: false,
};

describe('MESSAGE frames', () => {
  it.each(['1.1', '1.2'])('read the same in %s whether or not they are like the one before', (version) => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 25 }), (messages) => {
        const [got, wanted] = sent(messages, version);
        expect(got === wanted).toBe(true);
      }),
      { seed, numRuns: 300 },
    );
  });

  it.each([
    ['tags become longer', [PLAIN, { ...PLAIN, tagStep: 8 }, PLAIN, { ...PLAIN, tagStep: 90 }]],
    ['one in between is too large to be remembered', [PLAIN, { ...PLAIN, headerBytes: 5000 }, PLAIN]],
  ] as const)('are right when %s', (_, messages) => {
    const [got, wanted] = sent(messages, '1.2');
    expect(got).toBe(wanted);
  });
});
