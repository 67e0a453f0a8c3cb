import { describe, expect } from 'vitest';
import { table } from '../../../protocol/amqp/field-table.js';
import { declareQueue, publishAll } from '../topology.js';
import { test } from './stomp-test.js';

const STREAM = { durable: true, arguments: table({ 'x-queue-type': 'stream' }) };

describe('SUBSCRIBE to a stream', () => {
  test('begins where it says, tells offsets and leaves the messages there', async ({
    connectStomp,
    client,
    unique,
  }) => {
    const queue = await declareQueue(client, { queue: unique('q'), ...STREAM });
    publishAll(client, queue, ['a', 'b', 'c']);
    for (const [offset, bodies] of [
      ['first', ['a', 'b', 'c']],
      ['offset=1', ['b', 'c']],
    ] as const) {
      const stomp = await connectStomp();
      const headers = { id: '0', destination: `/amq/queue/${queue}`, ack: 'client-individual', 'prefetch-count': '5' };
      stomp.send('SUBSCRIBE', { ...headers, 'x-stream-offset': offset });
      for (const body of bodies) {
        const frame = await stomp.expect('MESSAGE');
        expect([frame.body, frame.headers['x-stream-offset']]).toEqual([body, String('abc'.indexOf(body))]);
        stomp.send('ACK', { id: frame.headers['ack'] ?? '' });
      }
      await stomp.destroy();
    }
  });

  test('needs a prefetch count and acknowledgements', async ({ connectStomp, client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), ...STREAM });
    const destination = `/amq/queue/${queue}`;
    const unlimited = await connectStomp();
    unlimited.send('SUBSCRIBE', { id: '0', destination, ack: 'client' });
    expect((await unlimited.expect('ERROR')).body).toContain('consumer prefetch count is not set for');
    const automatic = await connectStomp();
    automatic.send('SUBSCRIBE', { id: '0', destination, 'prefetch-count': '5' });
    expect((await automatic.expect('ERROR')).body).toContain('automatic acknowledgement not supported by stream');
  });
});
