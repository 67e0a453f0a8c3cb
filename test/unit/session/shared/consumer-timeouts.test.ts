import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import { ConsumerTimeouts } from '../../../../src/session/shared/consumer-timeouts.js';
import { DeliveryLedger } from '../../../../src/session/shared/delivery-ledger.js';
import { type CoreEnvironment, coreEnvironment } from '../../../support/core-environment.js';

const DEFAULT_MS = 60_000;

class Session {
  readonly ledger = new DeliveryLedger();
  readonly late: number[] = [];
  lastDeliveryTag = 0;

  deliver(queue: Queue): number {
    this.ledger.add(++this.lastDeliveryTag, 1, { queue, released: () => {} });
    return this.lastDeliveryTag;
  }

  acknowledgementLate(timeoutMs: number): void {
    this.late.push(timeoutMs);
  }
}

function declare({ host }: CoreEnvironment, name: string, timeoutMs?: number): Queue {
  const args = timeoutMs === undefined ? [] : table({ 'x-consumer-timeout': timeoutMs });
  return host.declareQueue(name, { durable: false, autoDelete: false, owner: undefined, arguments: args }, {});
}

function scene(defaultMs = DEFAULT_MS) {
  const core = coreEnvironment();
  const timeouts = new ConsumerTimeouts(core.clock, defaultMs);
  const session = new Session();
  const watched = (name: string, timeoutMs?: number): Queue => {
    const queue = declare(core, name, timeoutMs);
    timeouts.watch(session, queue);
    return queue;
  };
  return { core, timeouts, session, watched };
}

describe('consumer timeouts', () => {
  it('are noticed within two looks, and not before their time', () => {
    const { core, session, watched } = scene();
    const queue = watched('q');
    core.clock.advance(10_500);
    session.deliver(queue);
    core.clock.advance(DEFAULT_MS - 1);
    expect(session.late).toEqual([]);
    core.clock.advance(2000);
    expect(session.late.slice(0, 1)).toEqual([DEFAULT_MS]);
  });

  it('do not come while everything is acknowledged in time', () => {
    const { core, session, watched } = scene();
    const queue = watched('q');
    for (let second = 0; second < 200; second++) {
      const tag = session.deliver(queue);
      core.clock.advance(1000);
      if (tag > 30) session.ledger.take(tag - 30);
    }
    expect(session.late).toEqual([]);
    core.clock.advance(DEFAULT_MS - 28_000);
    expect(session.late).not.toEqual([]);
  });

  it('are those of the queue a delivery came from', () => {
    const { core, session, watched } = scene();
    const [patient, strict, plain] = [watched('patient', 3_600_000), watched('strict', 5000), watched('plain')];
    session.deliver(patient);
    session.deliver(plain);
    core.clock.advance(20_000);
    expect(session.late).toEqual([]);
    const tag = session.deliver(strict);
    core.clock.advance(7000);
    expect([...new Set(session.late)]).toEqual([5000]);
    session.ledger.take(tag);
    session.late.length = 0;
    core.clock.advance(20_000);
    expect(session.late).toEqual([]);
    core.clock.advance(20_000);
    expect([...new Set(session.late)]).toEqual([DEFAULT_MS]);
  });

  it('follow a change of the settings', () => {
    const { core, session, watched } = scene();
    const queue = watched('q');
    session.deliver(queue);
    core.clock.advance(10_000);
    queue.configure({ ...queue.settings, consumerTimeoutMs: 2000 });
    core.clock.advance(1000);
    expect(session.late).toEqual([2000]);
  });

  it('are off when the default is 0, and no timer stays for sessions that are gone', () => {
    const { core, timeouts, session, watched } = scene(0);
    session.deliver(watched('q'));
    core.clock.advance(1e9);
    expect(session.late).toEqual([]);
    timeouts.forget(session);
    expect(core.clock.timerCount).toBe(0);
  });
});
