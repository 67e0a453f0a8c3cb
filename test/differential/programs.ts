/** Random programs, each from a seed of its own: first what most of them need, then steps of all kinds. */
import type { FieldTable, FieldValue } from '../../protocol/amqp/field-table.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import { Random } from '../support/random.js';
import type { Publication } from '../support/wire-client.js';
import type { Sendable } from '../support/wire-frames.js';
import { CHANNELS, type ChannelName, type Program, SHORT_TTL_MS, type Step } from './steps.js';
import {
  BINDING_KEYS,
  bindingArguments,
  bool,
  EXCHANGES,
  exchangeDeclaration,
  HEADER_VALUES,
  int,
  KEYS,
  QUEUES,
  queueDeclaration,
  type Theme,
  text,
} from './topology.js';

const LEAST_STEPS = 6;
const MORE_STEPS = 16;

export function programOf(seed: number): Program {
  return { seed, steps: new Author(seed).steps() };
}

class Author {
  readonly #random: Random;
  readonly #theme: Theme;
  readonly #queues: readonly string[];
  #messages = 0;
  #consumers = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    // Near seeds must not begin alike.
    this.#random.fraction();
    this.#theme = {
      shortTtl: this.#random.chance(0.25),
      quorum: this.#random.chance(0.2),
      deadLetters: this.#random.chance(0.7),
    };
    this.#queues = QUEUES.slice(0, 1 + this.#random.pick([0, 1, 1, 2, 2, 3]));
  }

  steps(): Step[] {
    const random = this.#random;
    const steps: Step[] = [];
    const exchanges = EXCHANGES.slice(0, random.below(EXCHANGES.length + 1));
    for (const exchange of exchanges) steps.push(this.#call(exchangeDeclaration(random, exchange)));
    for (const queue of this.#queues) steps.push(this.#call(queueDeclaration(random, queue, this.#theme)));
    for (const exchange of exchanges) {
      for (let left = 1 + random.below(2); left > 0; left--) steps.push(this.#call(this.#binding(exchange)));
    }
    if (random.chance(0.3)) steps.push(this.#call({ name: 'confirm.select' }));
    if (random.chance(0.1)) steps.push(this.#call({ name: 'tx.select' }));
    for (let left = LEAST_STEPS + random.below(MORE_STEPS); left > 0; left--) steps.push(this.#step());
    return steps;
  }

  #step(): Step {
    const random = this.#random;
    const weighted: readonly (readonly [number, () => Step])[] = [
      [30, () => this.#publish()],
      [15, () => this.#call(this.#get())],
      [14, () => this.#call(this.#consume())],
      [28, () => this.#settle()],
      [3, () => this.#call({ name: 'basic.qos', prefetchCount: random.below(4), global: random.chance(0.2) })],
      [3, () => this.#call({ name: 'basic.cancel', consumerTag: `c${random.below(this.#consumers + 1)}` })],
      [2, () => this.#call({ name: random.pick(['basic.recover', 'basic.recover-async'] as const), requeue: true })],
      [3, () => this.#call({ name: 'queue.purge', queue: this.#queue() })],
      [3, () => this.#call(this.#queueDelete())],
      [1, () => this.#call({ name: 'exchange.delete', exchange: this.#exchange(), ifUnused: random.chance(0.5) })],
      [3, () => this.#call(this.#binding(this.#exchange()))],
      [2, () => this.#call(this.#unbinding())],
      [3, () => this.#call(queueDeclaration(random, this.#queue(), this.#theme))],
      [1, () => this.#call(exchangeDeclaration(random, random.pick(EXCHANGES)))],
      [1, () => this.#call({ name: 'queue.declare', queue: this.#queue(), passive: true })],
      [2, () => this.#call({ name: random.pick(['tx.select', 'tx.commit', 'tx.commit', 'tx.rollback'] as const) })],
      [1, () => this.#call({ name: 'confirm.select' })],
      [2, () => ({ kind: 'close', on: this.#channel() })],
      [0.7, () => ({ kind: 'disconnect', connection: random.pick(['a', 'b'] as const) })],
      [0.3, () => this.#expire()],
      [0.7, () => this.#call(this.#mistake())],
    ];
    let left = random.fraction() * weighted.reduce((total, [weight]) => total + weight, 0);
    for (const [weight, author] of weighted) {
      left -= weight;
      if (left < 0) return author();
    }
    return this.#publish();
  }

  #call(method: Sendable): Step {
    return { kind: 'call', on: this.#channel(), method };
  }

  #channel(): ChannelName {
    return this.#random.chance(0.8) ? 'a1' : this.#random.pick(CHANNELS);
  }

  #queue(): string {
    if (this.#random.chance(0.02)) return this.#random.pick(['', '~none']);
    return this.#random.pick(this.#queues);
  }

  #exchange(): string {
    return this.#random.chance(0.03) ? this.#random.pick(['', '~none']) : this.#random.pick(EXCHANGES);
  }

  #binding(source: string): Sendable {
    const random = this.#random;
    const routingKey = random.pick(BINDING_KEYS);
    const table = bindingArguments(random);
    if (random.chance(0.2)) {
      const destination = this.#exchange();
      return { name: 'exchange.bind', destination, source, routingKey, arguments: table };
    }
    return { name: 'queue.bind', queue: this.#queue(), exchange: source, routingKey, arguments: table };
  }

  #unbinding(): Sendable {
    const random = this.#random;
    const routingKey = random.pick(BINDING_KEYS);
    const source = this.#exchange();
    if (random.chance(0.2)) return { name: 'exchange.unbind', destination: this.#exchange(), source, routingKey };
    return { name: 'queue.unbind', queue: this.#queue(), exchange: source, routingKey };
  }

  #publish(): Step {
    const random = this.#random;
    const toQueue = random.chance(0.65);
    this.#messages += 1;
    const message: Publication = {
      exchange: toQueue ? '' : this.#exchange(),
      routingKey: toQueue ? this.#queue() : random.pick(KEYS),
      mandatory: random.chance(0.25),
      properties: this.#properties(),
      body: random.chance(0.05) ? '' : `m${this.#messages}.`,
    };
    return { kind: 'publish', on: this.#channel(), message, copies: this.#copies() };
  }

  /** A dead letter of one copy may come before or after the next copy. */
  #copies(): number {
    return this.#theme.shortTtl || this.#theme.deadLetters || this.#random.chance(0.7) ? 1 : 2 + this.#random.below(3);
  }

  #properties(): MessageProperties {
    const random = this.#random;
    const properties: MessageProperties = {};
    if (random.chance(0.4)) properties.deliveryMode = random.chance(0.005) ? 7 : 1 + random.below(2);
    if (random.chance(0.25)) properties.priority = random.pick([0, 1, 2, 3, 5, 9, 255]);
    if (random.chance(0.2)) properties.expiration = this.#expiration();
    if (random.chance(0.04)) properties.userId = random.pick(['guest', 'guest', 'bob']);
    if (properties.userId === 'bob' && random.chance(0.5)) properties.expiration = 'abc';
    if (random.chance(0.1)) properties.correlationId = 'correlation';
    if (random.chance(0.1)) properties.timestamp = 1_700_000_000n;
    if (random.chance(0.1)) properties.contentType = 'text/plain';
    if (random.chance(0.05)) properties.type = 'type';
    if (random.chance(0.05)) properties.clusterId = 'cluster';
    if (random.chance(0.3)) properties.headers = this.#headers();
    return properties;
  }

  #expiration(): string {
    const random = this.#random;
    if (random.chance(0.04)) return random.pick(['abc', '-1', '10ms', '', '400000000000', '1.5', '+60000', '-0']);
    return this.#theme.shortTtl ? random.pick(['0', String(SHORT_TTL_MS), '60000']) : '60000';
  }

  #headers(): FieldTable {
    const random = this.#random;
    const table: [string, FieldValue][] = [];
    if (random.chance(0.4)) table.push(['h', random.pick(HEADER_VALUES)]);
    if (random.chance(0.2)) table.push(['x-h', random.pick(HEADER_VALUES)]);
    if (random.chance(0.2)) table.push(['i', random.pick(HEADER_VALUES)]);
    if (random.chance(0.1)) table.push(['i', { type: 'd', value: 1 }]);
    if (random.chance(0.2)) table.push(['CC', this.#copyKeys()]);
    if (random.chance(0.2)) table.push(['BCC', this.#copyKeys()]);
    if (random.chance(0.06)) table.push(['x-death', { type: 'A', value: [{ type: 'F', value: CLIENT_DEATH }] }]);
    if (random.chance(0.02)) table.push(['x-delivery-count', int(7)]);
    return table;
  }

  #copyKeys(): FieldValue {
    const random = this.#random;
    if (random.chance(0.05)) return random.pick([text('~q0'), bool(true)]);
    const value = Array.from({ length: random.below(3) }, () =>
      random.chance(0.1) ? int(1) : text(random.pick([...KEYS, ...QUEUES])),
    );
    return { type: 'A', value };
  }

  #get(): Sendable {
    return { name: 'basic.get', queue: this.#queue(), noAck: this.#random.chance(0.3) };
  }

  #consume(): Sendable {
    const random = this.#random;
    const isNew = random.chance(0.97);
    if (isNew) this.#consumers += 1;
    const table: [string, FieldValue][] = [];
    if (random.chance(0.2)) table.push(['x-priority', random.chance(0.04) ? text('1') : int(random.below(4) - 1)]);
    return {
      name: 'basic.consume',
      queue: this.#queue(),
      consumerTag: random.chance(0.05) ? '' : `c${this.#consumers}`,
      noAck: random.chance(0.25),
      exclusive: random.chance(0.07),
      arguments: table,
    };
  }

  #settle(): Step {
    const random = this.#random;
    return {
      kind: 'settle',
      on: this.#channel(),
      by: random.pick(['ack', 'nack', 'nack', 'reject']),
      which: random.chance(0.6) ? 0 : random.below(8),
      multiple: random.chance(0.3),
      requeue: random.chance(0.5),
    };
  }

  #queueDelete(): Sendable {
    const random = this.#random;
    return {
      name: 'queue.delete',
      queue: this.#queue(),
      ifUnused: random.chance(0.2),
      ifEmpty: random.chance(0.2),
    };
  }

  #expire(): Step {
    const random = this.#random;
    const deadLetter = random.pick(['', ...EXCHANGES]);
    return { kind: 'expire', on: this.#channel(), consumed: random.chance(0.3), deadLetter };
  }

  /** What clients do wrong. */
  #mistake(): Sendable {
    return this.#random.pick<Sendable>([
      { name: 'basic.ack', deliveryTag: 4711 },
      { name: 'basic.nack', deliveryTag: 4711, multiple: true },
      { name: 'basic.reject', deliveryTag: 0 },
      { name: 'basic.ack', deliveryTag: 0, multiple: true },
      { name: 'basic.recover', requeue: false },
      { name: 'basic.qos', prefetchSize: 10 },
      { name: 'channel.flow', active: false },
      { name: 'channel.flow', active: true },
      { name: 'queue.declare', queue: 'amq.mine' },
      { name: 'exchange.declare', exchange: 'amq.mine', type: 'direct' },
      { name: 'exchange.declare', exchange: 'amq.direct', type: 'fanout', durable: true },
      { name: 'exchange.delete', exchange: 'amq.direct' },
      { name: 'exchange.declare', exchange: '', type: 'direct' },
      { name: 'queue.delete', queue: '~none' },
    ]);
  }
}

const CLIENT_DEATH: FieldTable = [
  ['count', { type: 'l', value: 3n }],
  ['reason', text('rejected')],
  ['queue', text('~q0')],
  ['time', { type: 'T', value: 1_700_000_000n }],
  ['exchange', text('')],
  ['routing-keys', { type: 'A', value: [text('~q0')] }],
];
