import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { settingsOf } from '../../../../src/core/queue/settings.js';

describe('the settings of a queue', () => {
  it('are one object for all queues without arguments', () => {
    expect(settingsOf([])).toBe(settingsOf([], []));
  });

  it('have a field for every argument that means something', () => {
    const args = table({
      'x-message-ttl': 1,
      'x-expires': 2,
      'x-max-length': 3,
      'x-max-length-bytes': 4,
      'x-overflow': 'reject-publish',
      'x-dead-letter-exchange': 'dlx',
      'x-dead-letter-routing-key': 'key',
      'x-dead-letter-strategy': 'at-least-once',
      'x-single-active-consumer': true,
      'x-max-priority': 5,
      'x-delivery-limit': -1,
      'x-consumer-timeout': 6,
      'x-max-age': '7D',
      'x-stream-max-segment-size-bytes': 8,
      'x-stream-filter-size-bytes': 16,
      'x-message-deduplication': true,
    });
    expect(settingsOf(args)).toEqual({
      messageTtlMs: 1,
      expiresMs: 2,
      maxLength: 3,
      maxLengthBytes: 4,
      overflow: 'reject-publish',
      deadLetterExchange: 'dlx',
      deadLetterRoutingKey: 'key',
      deadLetterStrategy: 'at-least-once',
      singleActiveConsumer: true,
      maxPriority: 5,
      deliveryLimit: -1,
      consumerTimeoutMs: 6,
      deduplicationHeader: 'x-deduplication-header',
      maxAgeMs: 7 * 24 * 60 * 60 * 1000,
      streamMaxSegmentSizeBytes: 8,
      streamFilterSizeBytes: 16,
    });
  });

  it.each([
    ['1Y', 31_536_000_000],
    ['2M', 5_184_000_000],
    ['3D', 259_200_000],
    ['4h', 14_400_000],
    ['5m', 300_000],
    ['06s', 6000],
  ])('read the age %s', (age, ms) => {
    expect(settingsOf(table({ 'x-max-age': age })).maxAgeMs).toBe(ms);
  });

  it('take from policies what these say, and the rest from the arguments', () => {
    const args = table({ 'x-max-length': 10, 'x-message-ttl': 20 });
    expect(settingsOf(args, table({ 'x-max-length': 5, 'x-overflow': 'reject-publish' }))).toMatchObject({
      maxLength: 5,
      messageTtlMs: 20,
      overflow: 'reject-publish',
    });
  });
});
