/**
 * A virtual host as one user may use it: every call checks the permission, then delegates. Sessions hold this and
 * never the virtual host, so a check cannot be forgotten.
 */
import type { Exchange, ExchangeOptions } from '../core/exchange/exchange.js';
import type { RoutedMessage } from '../core/exchange/exchange-type.js';
import { exchangeType } from '../core/exchange/registry.js';
import { fieldTypeWord } from '../core/field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../core/field-value.js';
import { isReached } from '../core/limits.js';
import type { RecordReader, RecordSource } from '../core/log/record.js';
import { describeExchange, describeQueue, generatedName, stripLineBreaks } from '../core/names.js';
import type { CommitId } from '../core/ports/message-store.js';
import type { MessageTarget, PublishOutcome, Queue, QueueOptions } from '../core/queue/queue.js';
import { isReplyName, type ReplyQueue } from '../core/reply-queues.js';
import type { RouteWalk } from '../core/router.js';
import type { Origin } from '../core/tracer.js';
import type { DestinationName, VirtualHost } from '../core/virtual-host.js';
import { BrokerError } from '../errors.js';
import { type ClientConnection, OpenConnections } from './open-connections.js';
import type { Access, Permissions } from './permissions.js';
import type { User, UserStore } from './user-store.js';

export class VirtualHostAccess {
  readonly user: User;
  readonly #host: VirtualHost;
  readonly #users: UserStore;
  /** Identity that exclusive queues belong to: the connection. */
  readonly #owner: ClientConnection;
  readonly #connections: OpenConnections;

  constructor(
    user: User,
    host: VirtualHost,
    users: UserStore,
    owner: ClientConnection,
    connections = new OpenConnections(),
  ) {
    this.user = user;
    this.#host = host;
    this.#users = users;
    this.#owner = owner;
    this.#connections = connections;
  }

  get virtualHostName(): string {
    return this.#host.name;
  }

  /** Changes whenever a cached route or a cached permission may be out of date. */
  get epoch(): number {
    return this.#host.epoch + this.#users.epoch;
  }

  /** What the reply to a change of definitions waits for. */
  takeCommit(): CommitId {
    return this.#host.takeCommit();
  }

  // --- exchanges

  /** Existence only: no permission is asked for (SEMANTICS 2.2). */
  assertExchange(name: string): void {
    this.#refuseDefaultExchange(name);
    this.#host.exchange(name);
  }

  declareExchange(givenName: string, type: string, options: ExchangeOptions): void {
    const name = stripLineBreaks(givenName);
    if (exchangeType(type) === undefined) {
      throw new BrokerError('precondition-failed', `unknown exchange type '${type}'`);
    }
    this.#refuseDefaultExchange(name);
    this.#check('configure', 'exchange', name);
    if (this.#host.isNewExchange(name)) this.#checkAlternate(name, options);
    this.#as(() => this.#host.declareExchange(name, type, options));
  }

  deleteExchange(givenName: string, ifUnused: boolean): void {
    const name = stripLineBreaks(givenName);
    this.#refuseDefaultExchange(name);
    this.#check('configure', 'exchange', name);
    this.#as(() => this.#host.deleteExchange(name, ifUnused));
  }

  // --- queues

  /** Passive declare: no permission is asked for. */
  queue(name: string): Queue {
    const queue = this.#host.queue(name, this.#owner);
    queue.used();
    return queue;
  }

  /** Whether there is one of that name, whoever may use it. */
  hasQueue(name: string): boolean {
    return this.#host.findQueue(name) !== undefined;
  }

  declareQueue(givenName: string, flags: Omit<QueueOptions, 'owner'> & { readonly exclusive: boolean }): Queue {
    const { autoDelete, exclusive, arguments: args } = flags;
    // An exclusive queue is not durable, whatever the declaration says.
    const durable = flags.durable && !exclusive;
    const name = this.#host.queueNameToDeclare(givenName, args) || generatedName('amq.gen-');
    this.#check('configure', 'queue', name);
    if (this.#host.findQueue(name) === undefined) this.#checkDeadLetterExchange(name, args);
    const owner = exclusive ? this.#owner : undefined;
    // It goes with its connection, whatever the declaration says.
    const options = { durable: durable && !exclusive, autoDelete, owner, arguments: args };
    return this.#as(() => this.#host.declareQueue(name, options, this.#owner));
  }

  deleteQueue(name: string, ifUnused: boolean, ifEmpty: boolean): number {
    this.#check('configure', 'queue', name);
    return this.#as(() => this.#host.deleteQueue(name, this.#owner, ifUnused, ifEmpty));
  }

  purgeQueue(name: string): number {
    this.#check('read', 'queue', name);
    return this.#host.queue(name, this.#owner).purge();
  }

  /** For basic.get and basic.consume. */
  queueToRead(name: string): Queue {
    this.#check('read', 'queue', name);
    return this.queue(name);
  }

  /** Deletes the exclusive queues of this connection, which ends and counts to no limit any more. */
  releaseExclusiveQueues(): void {
    this.#connections.remove(this.#owner);
    this.#as(() => this.#host.releaseOwner(this.#owner));
  }

  /** Throws BrokerError('not-allowed') when the user may have no more channels, over all connections. */
  assertMayOpenChannel(): void {
    const { name } = this.user;
    const limit = this.#users.find(name)?.limits.maxChannels;
    // It is counted only for users who have a limit.
    if (limit === undefined || !isReached(limit, this.#connections.channelsOf(name))) return;
    const reached = `has reached the maximum allowed user limit of ${limit}`;
    throw new BrokerError('not-allowed', `number of channels opened for user '${name}' ${reached}`);
  }

  // --- bindings

  bind(source: string, to: DestinationName, routingKey: string, args: FieldTable): void {
    this.#checkBinding(source, to);
    this.#as(() => this.#host.bind(source, to, routingKey, args, this.#owner));
  }

  unbind(source: string, to: DestinationName, routingKey: string, args: FieldTable): void {
    this.#checkBinding(source, to);
    this.#as(() => this.#host.unbind(source, to, routingKey, args, this.#owner));
  }

  // --- publishing

  /** Throws for a missing permission, a missing exchange and an internal one, in this order. */
  exchangeToPublish(name: string): Exchange {
    this.#check('write', 'exchange', name);
    const exchange = this.#host.exchange(name);
    if (exchange.options.internal) {
      const described = describeExchange(name, this.#host.name);
      throw new BrokerError('access-refused', `cannot publish to internal ${described}`);
    }
    return exchange;
  }

  route(exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): RouteWalk {
    return this.#host.route(exchange, message, furtherKeys);
  }

  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void {
    this.#host.deliver(targets, source, outcome);
  }

  /** Of basic.get: consumers' deliveries are traced by their queue. */
  traceDelivery(queue: Queue, record: RecordReader, origin: Origin): void {
    this.#host.tracer?.delivered(queue.name, record, origin);
  }

  // --- direct reply-to, which needs no permission

  openReplyQueue(deliver: (record: RecordReader) => void): ReplyQueue {
    return this.#host.replyQueues.open(deliver);
  }

  closeReplyQueue(queue: ReplyQueue): void {
    this.#host.replyQueues.close(queue);
  }

  hasReplyQueue(name: string): boolean {
    return this.#host.replyQueues.find(name) !== undefined;
  }

  // --- checks

  #as<Result>(act: () => Result): Result {
    return this.#host.events.by(this.user.name, act);
  }

  #check(access: Access, kind: 'queue' | 'exchange', name: string): void {
    const named = kind === 'exchange' && name === '' ? 'amq.default' : name;
    if (this.#permissions?.allows(access, named) === true) return;
    const described =
      kind === 'queue' ? describeQueue(named, this.#host.name) : describeExchange(named, this.#host.name);
    throw new BrokerError('access-refused', `${access} access to ${described} refused for user '${this.user.name}'`);
  }

  get #permissions(): Permissions | undefined {
    return this.#users.permissions(this.user.name, this.#host.name);
  }

  #refuseDefaultExchange(name: string): void {
    if (name === '') throw new BrokerError('access-refused', 'operation not permitted on the default exchange');
  }

  #checkBinding(source: string, to: DestinationName): void {
    if (to.kind === 'exchange') this.#refuseDefaultExchange(to.name);
    this.#refuseDefaultExchange(source);
    if (to.kind === 'queue' && isReplyName(to.name)) {
      throw new BrokerError('access-refused', 'cannot bind or unbind to a volatile (direct reply-to) queue');
    }
    this.#check('write', to.kind, to.name);
    this.#check('read', 'exchange', source);
  }

  #checkAlternate(name: string, options: ExchangeOptions): void {
    const described = describeExchange(name, this.#host.name);
    const alternate = this.#exchangeArgument(options.arguments, 'alternate-exchange', described);
    if (alternate === undefined) return;
    this.#check('read', 'exchange', name);
    this.#check('write', 'exchange', alternate);
  }

  #checkDeadLetterExchange(name: string, args: FieldTable): void {
    const described = describeQueue(name, this.#host.name);
    const target = this.#exchangeArgument(args, 'x-dead-letter-exchange', described);
    if (target === undefined) return;
    this.#check('read', 'queue', name);
    this.#check('write', 'exchange', target);
  }

  /** Name of the exchange an argument gives. Throws when it is no string. */
  #exchangeArgument(args: FieldTable, key: string, described: string): string | undefined {
    const value: FieldValue | undefined = lookUp(args, key);
    if (value === undefined) return undefined;
    if (value.type === 'S' && typeof value.value === 'string') return value.value;
    throw new BrokerError(
      'precondition-failed',
      `invalid type '${fieldTypeWord(value)}' for arg '${key}' in ${described}`,
    );
  }
}
