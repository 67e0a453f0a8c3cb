// Starting rascal brokers from a topology, and publishing and subscribing with them.

import type { Message } from 'amqplib';
import { type AckOrNack, BrokerAsPromised, type SubscriberSession, type VhostConfig } from 'rascal';
import { Inbox } from './inbox.js';
import { uniqueName } from './scenarios.js';

export type Topology = Omit<VhostConfig, 'connection'>;

export interface Delivery {
  readonly message: Message;
  readonly content: unknown;
  readonly ackOrNack: AckOrNack;
}

const started: BrokerAsPromised[] = [];

export async function shutDownBrokers(): Promise<void> {
  for (const broker of started.splice(0)) await broker.shutdown();
}

export async function startRascal(url: string, topology: Topology): Promise<BrokerAsPromised> {
  const vhosts = { '/': { connection: { url, retry: false }, ...topology } };
  try {
    const broker = await BrokerAsPromised.create({ vhosts });
    broker.on('error', () => {});
    started.push(broker);
    return broker;
  } catch (error) {
    // rascal hides the half-started broker in the error, under a symbol it also stores there.
    const failed = error as Record<symbol, BrokerAsPromised> & { broker?: symbol };
    if (failed.broker !== undefined) await failed[failed.broker]?.shutdown();
    throw error;
  }
}

/** A queue with a publication `out` into it and a subscription `in` from it. */
export function oneQueue(
  queue: string,
  args: object = {},
  subscription: object = {},
): Required<Omit<Topology, 'exchanges'>> {
  return {
    queues: { [queue]: { options: { exclusive: true, durable: false, arguments: args } } },
    bindings: {},
    publications: { out: { queue } },
    subscriptions: { in: { queue, closeTimeout: 10, ...subscription } },
  };
}

/** The same of a queue that outlives its connection. Whoever uses it nukes it. */
export function oneTransientQueue(queue: string, subscription: object = {}): ReturnType<typeof oneQueue> {
  return { ...oneQueue(queue, {}, subscription), queues: { [queue]: { options: { durable: false } } } };
}

/** A queue `in` reads from, dead-lettering to a queue `dead` reads from. */
export function withDeadLetters(queue: string): Topology {
  const dead = uniqueName('dead');
  const { queues, publications, subscriptions } = oneQueue(queue, {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  return {
    queues: { ...queues, ...oneQueue(dead).queues },
    publications,
    subscriptions: { ...subscriptions, dead: { queue: dead, closeTimeout: 10 } },
  };
}

/** Resolves with the returned message, if there was one, when the publication is confirmed. */
export async function publish(broker: BrokerAsPromised, payload: unknown, overrides: object = {}) {
  const session = await broker.publish('out', payload, overrides);
  let returned: Message | undefined;
  session.on('return', (message) => {
    returned = message;
  });
  return new Promise<Message | undefined>((resolve, reject) => {
    session.on('success', () => resolve(returned));
    session.on('error', reject);
  });
}

/** A publication whose channel the server closes reports twice: that it closed, and why. */
export async function failures(broker: BrokerAsPromised, publication: string): Promise<string[]> {
  const session = await broker.publish(publication, 'lost');
  const errors = new Inbox<Error>(`error of ${publication}`);
  session.on('error', errors.push);
  return (await errors.take(2)).map(({ message }) => message);
}

export async function subscribe(broker: BrokerAsPromised, subscription = 'in') {
  const session: SubscriberSession = await broker.subscribe(subscription);
  const deliveries = new Inbox<Delivery>(`delivery to ${subscription}`);
  const subscribed = new Inbox<void>('subscribed');
  session.on('subscribed', subscribed.push);
  session.on('message', (message, content, ackOrNack) => deliveries.push({ message, content, ackOrNack }));
  session.on('error', () => {});
  await subscribed.next();
  return { session, deliveries };
}

export const contents = (deliveries: readonly Delivery[]) => deliveries.map(({ content }) => content);
