/** What tests do with queues of a host that has no sessions. */
import { table } from '../../../../protocol/amqp/field-table.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import { PublishOutcome, type Queue } from '../../../../src/core/queue/queue.js';
import type { CoreEnvironment } from '../../../support/core-environment.js';
import { type Message, readMessage, sourceOf } from '../../../support/messages.js';

export type Settings = Readonly<Record<string, string | number | boolean>>;

export function declare({ host }: CoreEnvironment, name: string, settings: Settings = {}, durable = false): Queue {
  const options = { durable, autoDelete: false, owner: undefined, arguments: table(settings) };
  return host.declareQueue(name, options, {});
}

export function publish(
  { host }: CoreEnvironment,
  to: Queue | readonly Queue[],
  message: Message,
  expirationMs?: number,
): PublishOutcome {
  const targets = 'name' in to ? [to] : to;
  const source = sourceOf({ routingKey: targets[0]?.name ?? '', ...message });
  if (expirationMs !== undefined) source.expirationMs = expirationMs;
  const outcome = new PublishOutcome();
  host.deliver(targets, source, outcome);
  return outcome;
}

export function takeAll(queue: Queue): string[] {
  const reader = new RecordReader();
  const bodies: string[] = [];
  while (queue.take(reader)) {
    bodies.push(readMessage(reader).body);
    queue.ack(reader.position);
  }
  return bodies;
}
