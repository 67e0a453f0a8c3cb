/**
 * A virtual host: its exchanges, queues and bindings, and publishing through them. It knows no users: sessions reach
 * it through `auth/virtual-host-access`, which checks and then calls here. Whatever changes where a message may go
 * moves `epoch` on, which ends every cached route.
 */
import { BrokerError } from '../errors.js';
import type { Binding, BindingDestination } from './binding.js';
import { BindingTable } from './binding-table.js';
import { DeadLetters } from './dead-letters.js';
import type { Deadlines } from './deadlines.js';
import { DefinitionChanges, exchangeDefinition, isDurableBinding, queueDefinition } from './definitions.js';
import { assertEquivalentExchange, assertEquivalentQueue, lockedQueue } from './equivalence.js';
import type { Events } from './events.js';
import { Exchange, type ExchangeOptions } from './exchange/exchange.js';
import type { ExchangeHost, RandomSource, RoutedMessage } from './exchange/exchange-type.js';
import { exchangeType } from './exchange/registry.js';
import { EMPTY_TABLE, type FieldTable } from './field-value.js';
import { isReached } from './limits.js';
import { DurableWaiters } from './log/durable-waiters.js';
import type { LogEnvironment } from './log/message-log.js';
import type { RecordSource } from './log/record.js';
import { SHARE_FROM_BYTES } from './log/shared-bodies.js';
import { describeExchange, describeQueue, isReserved, stripLineBreaks } from './names.js';
import { Parameters } from './parameters.js';
import { Policies } from './policy/policies.js';
import type {
  BindingDefinition,
  Definition,
  DefinitionStore,
  ExchangeDefinition,
  QueueDefinition,
  VirtualHostMetadata,
} from './ports/definition-store.js';
import type { CommitId } from './ports/message-store.js';
import type { PropertiesCodec } from './ports/properties-codec.js';
import { queueTypeOf, refuseServerName, validateQueueArguments, validateQueueProperties } from './queue/arguments.js';
import { withDefaultType } from './queue/default-type.js';
import { assertDeletable } from './queue/deletion.js';
import type { MessageTarget, PublishOutcome, Queue, QueueOptions, QueueOwner } from './queue/queue.js';
import type { QueueHost, QueueType } from './queue/queue-type.js';
import { queueType } from './queue/registry.js';
import { isReplyName, ReplyQueues } from './reply-queues.js';
import { RouteWalk } from './router.js';
import { exchangeFacts, nameFacts, queueFacts } from './topology-events.js';
import { TRACE_EXCHANGE, Tracer } from './tracer.js';
import type { Turn } from './turn.js';

const DURABLE: ExchangeOptions = { durable: true, autoDelete: false, internal: false, arguments: EMPTY_TABLE };

/** Exchanges that every virtual host has from the start (SEMANTICS 2.2). */
export const PREDECLARED: readonly (readonly [name: string, type: string, options: ExchangeOptions])[] = [
  ['', 'direct', DURABLE],
  ['amq.direct', 'direct', DURABLE],
  ['amq.fanout', 'fanout', DURABLE],
  ['amq.topic', 'topic', DURABLE],
  ['amq.headers', 'headers', DURABLE],
  ['amq.match', 'headers', DURABLE],
  [TRACE_EXCHANGE, 'topic', { ...DURABLE, internal: true }],
];

/** What the virtual hosts of a broker share. */
export interface VirtualHostEnvironment {
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly definitions: DefinitionStore;
  readonly events: Events;
  readonly deadlines: Deadlines;
  readonly properties: PropertiesCodec;
  /** As administrators see it. */
  readonly nodeName: string;
  /** See `DeadLetters`. */
  readonly trustsClientDeaths?: boolean;
  /** For the exchange types that choose at random. */
  readonly random: RandomSource;
  /** Ids name logs in the store, of queues and of exchanges, so they are unique over all virtual hosts. The first of so many in a row. */
  nextLogIds(count: number): number;
}

/** Destination of a binding by name, as clients give it. */
export interface DestinationName {
  readonly kind: 'queue' | 'exchange';
  readonly name: string;
}

export class VirtualHost implements QueueHost, ExchangeHost {
  readonly name: string;
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly durableWaiters: DurableWaiters;
  readonly deadlines: Deadlines;
  readonly properties: PropertiesCodec;
  readonly random: RandomSource;
  readonly deadLetters: DeadLetters;
  readonly replyQueues: ReplyQueues;
  readonly nodeName: string;
  readonly events: Events;
  tracer: Tracer | undefined;
  readonly policies: Policies;
  readonly parameters: Parameters;
  metadata: VirtualHostMetadata = { description: '', tags: [], defaultQueueType: undefined };
  /** Moves on with every change that may alter a route. */
  epoch = 1;
  readonly #environment: VirtualHostEnvironment;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, Queue>();
  readonly #owned = new Map<QueueOwner, Set<Queue>>();
  readonly #defaultExchange: Exchange;
  readonly #walk = new RouteWalk((name) => this.#exchanges.get(name));
  readonly #changes: DefinitionChanges;
  readonly #bindings: BindingTable;

  constructor(name: string, environment: VirtualHostEnvironment) {
    this.name = name;
    this.turn = environment.turn;
    this.logs = environment.logs;
    this.durableWaiters = new DurableWaiters(environment.logs.store);
    this.deadlines = environment.deadlines;
    this.properties = environment.properties;
    this.random = environment.random;
    this.nodeName = environment.nodeName;
    this.events = environment.events;
    this.deadLetters = new DeadLetters(
      this,
      environment.properties,
      environment.logs.clock,
      environment.trustsClientDeaths,
    );
    this.#environment = environment;
    this.#changes = new DefinitionChanges(environment.definitions);
    this.#bindings = new BindingTable(this, this.#changes);
    this.policies = new Policies(this, this.#changes);
    this.parameters = new Parameters(name, this.policies, this.#changes);
    this.replyQueues = new ReplyQueues(() => this.touch());
    for (const [exchangeName, typeName, options] of PREDECLARED) {
      this.#exchanges.set(exchangeName, this.#createExchange(exchangeName, typeName, options));
    }
    this.#defaultExchange = this.exchange('');
  }

  /** Takes back what the stores kept: policies and parameters, durable exchanges, then queues with their messages, then bindings. */
  restore(definitions: readonly Definition[]): void {
    const own = definitions.filter((definition) => 'virtualHost' in definition && definition.virtualHost === this.name);
    this.policies.restore(own);
    this.parameters.restore(own);
    for (const exchange of this.exchanges) this.policies.applyToExchange(exchange);
    for (const definition of own) if (definition.kind === 'exchange') this.#restoreExchange(definition);
    for (const definition of own) if (definition.kind === 'queue') this.#restoreQueue(definition);
    for (const definition of own) if (definition.kind === 'binding') this.#restoreBinding(definition);
    this.touch();
  }

  get exchanges(): Iterable<Exchange> {
    return this.#exchanges.values();
  }

  get queues(): Iterable<Queue> {
    return this.#queues.values();
  }

  get queueCount(): number {
    return this.#queues.size;
  }

  /** Ends every cached route. */
  touch(): void {
    this.epoch++;
  }

  /** The commit that makes the changes of definitions since the last call durable, 0 when there were none. */
  takeCommit(): CommitId {
    return this.#changes.takeCommit();
  }

  // --- exchanges

  findExchange(name: string): Exchange | undefined {
    return this.#exchanges.get(name);
  }

  /** Throws BrokerError('not-found'). */
  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) throw new BrokerError('not-found', `no ${describeExchange(name, this.name)}`);
    return exchange;
  }

  /** True when a declaration would create the exchange. Throws for a reserved name that is not there. */
  isNewExchange(name: string): boolean {
    if (this.#exchanges.has(name)) return false;
    if (!isReserved(name)) return true;
    throw new BrokerError('access-refused', `exchange name '${name}' contains reserved prefix 'amq.*'`);
  }

  /** Creates the exchange, or checks that the one of that name is equivalent. */
  declareExchange(name: string, typeName: string, options: ExchangeOptions): Exchange {
    if (!this.isNewExchange(name)) {
      const existing = this.exchange(name);
      assertEquivalentExchange(existing, typeName, options, this.name);
      if (options.durable) this.#changes.noteLatest();
      return existing;
    }
    const type = exchangeType(typeName);
    type?.validateDeclaration?.(options.arguments);
    const logId = type?.keepsMessages?.(options.arguments) === true ? this.#environment.nextLogIds(1) : undefined;
    const exchange = this.#createExchange(name, typeName, options, logId);
    this.#exchanges.set(name, exchange);
    if (options.durable) this.#changes.put(exchangeDefinition(this.name, exchange));
    this.touch();
    this.events.emit('exchange.created', () => exchangeFacts(exchange, this.name));
    return exchange;
  }

  /** One that only the broker publishes to and that clients cannot declare. */
  declareSystemExchange(name: string, typeName: string): void {
    if (this.#exchanges.has(name)) return;
    const exchange = this.#createExchange(name, typeName, { ...DURABLE, internal: true });
    this.#exchanges.set(name, exchange);
    this.#changes.put(exchangeDefinition(this.name, exchange));
  }

  /** A missing exchange is no error (SEMANTICS 2.3). */
  deleteExchange(name: string, ifUnused: boolean): void {
    if (isReserved(name)) {
      const described = describeExchange(name, this.name);
      throw new BrokerError('access-refused', `deletion of system ${described} not allowed`);
    }
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) {
      this.#changes.noteLatest();
      return;
    }
    if (ifUnused && exchange.outgoingCount > 0) {
      throw new BrokerError('precondition-failed', `${describeExchange(name, this.name)} in use`);
    }
    this.#removeExchanges([exchange]);
  }

  // --- queues

  findQueue(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** Throws BrokerError('not-found'), or 'resource-locked' when it is another connection's exclusive queue. */
  queue(name: string, requester: QueueOwner): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new BrokerError('not-found', `no ${describeQueue(name, this.name)}`);
    const owner = queue.options.owner;
    if (owner !== undefined && owner !== requester) throw lockedQueue(name, this.name);
    return queue;
  }

  /**
   * The name to declare: without line breaks. Throws for a reserved one, there or not; '' stays '', where the type takes
   * a name of the broker's choice.
   */
  queueNameToDeclare(name: string, args: FieldTable): string {
    const stripped = stripLineBreaks(name);
    if (stripped === '') refuseServerName(args);
    if (isReserved(stripped)) {
      throw new BrokerError('access-refused', `queue name '${stripped}' contains reserved prefix 'amq.*'`);
    }
    return stripped;
  }

  /** Creates the queue, or checks that the one of that name is equivalent and the requester's to use. */
  declareQueue(name: string, given: QueueOptions, requester: QueueOwner): Queue {
    const options = withDefaultType(given, this.metadata.defaultQueueType);
    const existing = this.#queues.get(name);
    if (existing !== undefined) {
      assertEquivalentQueue(existing, options, requester, this.name);
      existing.used();
      if (options.durable && options.owner === undefined) this.#changes.noteLatest();
      return existing;
    }
    const type = queueType(queueTypeOf(options.arguments, name, this.name));
    validateQueueArguments(options.arguments, name, this.name, type.name);
    validateQueueProperties(type, options, describeQueue(name, this.name));
    this.#assertRoomForQueue(name);
    const id = this.#environment.nextLogIds(type.logCount(options.arguments));
    const queue = this.#createQueue(id, name, type, options);
    this.#insertQueue(queue);
    if (options.owner !== undefined) this.#own(options.owner, queue);
    else if (options.durable) this.#changes.put(queueDefinition(this.name, queue));
    this.touch();
    this.events.emit('queue.created', () => queueFacts(queue, this.name));
    return queue;
  }

  /** Returns the number of ready messages that went with it. A missing queue is no error: 0. */
  deleteQueue(name: string, requester: QueueOwner, ifUnused: boolean, ifEmpty: boolean): number {
    if (!this.#queues.has(name)) {
      this.#changes.noteLatest();
      return 0;
    }
    const queue = this.queue(name, requester);
    assertDeletable(queue, this.name, ifUnused, ifEmpty);
    const ready = queueType(queue.type).tellsCounts ? queue.readyCount : 0;
    this.#removeQueue(queue);
    return ready;
  }

  outlived(queue: Queue): void {
    this.#removeQueue(queue);
  }

  /** Deletes the exclusive queues of a connection that ends. */
  releaseOwner(owner: QueueOwner): void {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return;
    this.#owned.delete(owner);
    for (const queue of owned) this.#removeQueue(queue);
  }

  // --- bindings

  /** Throws BrokerError('not-found') for either end, 'resource-locked' for a foreign exclusive queue. */
  bind(source: string, to: DestinationName, routingKey: string, args: FieldTable, requester: QueueOwner): void {
    const exchange = this.exchange(source);
    const destination = this.#destination(to, requester);
    const existing = exchange.find(destination, routingKey, args);
    if (existing !== undefined) {
      if (isDurableBinding(existing)) this.#changes.noteLatest();
      return;
    }
    exchange.type.validateBinding?.(routingKey, args, destination);
    exchange.router.validateBinding?.(routingKey, args, destination);
    const binding = this.#bindings.add(exchange, destination, routingKey, args);
    exchange.router.bound?.(binding);
  }

  /** A missing binding, exchange or queue is no error (SEMANTICS 2.4). */
  unbind(source: string, to: DestinationName, routingKey: string, args: FieldTable, requester: QueueOwner): void {
    const exchange = this.#exchanges.get(source);
    const destination = this.#existing(to);
    const binding = destination === undefined ? undefined : exchange?.find(destination, routingKey, args);
    if (exchange === undefined || binding === undefined) {
      this.#changes.noteLatest();
      return;
    }
    // Whose queue it is matters only when there is something to unbind.
    this.#destination(to, requester);
    this.#bindings.remove(binding);
    if (this.#isOrphaned(exchange)) this.#removeExchanges([exchange]);
  }

  /** The host is about to go: everything in it goes, also from the stores. Its connections have gone before. */
  delete(): void {
    for (const queue of [...this.#queues.values()]) this.#removeQueue(queue);
    const exchanges = [...this.#exchanges.values()];
    for (const { outgoing } of exchanges) for (const binding of [...outgoing]) this.#bindings.remove(binding);
    this.#removeExchanges(exchanges.filter(({ name }) => name !== '' && !isReserved(name)));
    this.policies.drop();
    this.parameters.drop();
  }

  // --- publishing

  /** The firehose: whether what clients publish and get is published to `amq.rabbitmq.trace` too. */
  get tracing(): boolean {
    return this.tracer !== undefined;
  }

  set tracing(on: boolean) {
    if (on === this.tracing) return;
    this.tracer = on ? new Tracer(this) : undefined;
    this.touch();
  }

  /** Finds where a message goes. The walk is reused: read its `targets` and `byKey` before the next call. */
  route(exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): RouteWalk {
    const walk = this.#walk;
    if (exchange === this.#defaultExchange && isReplyName(message.routingKey)) {
      walk.targets.length = 0;
      walk.byKey = true;
      const reply = this.replyQueues.find(message.routingKey);
      if (reply !== undefined) walk.targets.push(reply);
    } else walk.run(exchange, message, furtherKeys);
    if (this.tracer !== undefined && message.origin !== undefined)
      this.#trace(this.tracer, exchange, message, furtherKeys);
    return walk;
  }

  /** Puts a message into every target. `outcome` is added to, not reset. */
  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void {
    const count = targets.length;
    if (count === 0) return;
    outcome.routed = true;
    // `targets` may be the walk's own array, which routing a dead letter would overwrite.
    this.deadLetters.hold();
    try {
      if (count > 1 && source.bodyEnd - source.bodyStart >= SHARE_FROM_BYTES) {
        const bodies = this.logs.bodies;
        source.sharedBodyId = bodies.put(source.body, source.bodyStart, source.bodyEnd);
        for (let i = 0; i < count; i++) targets[i]?.enqueue(source, outcome);
        bodies.dropUnused(source.sharedBodyId);
        source.sharedBodyId = 0;
        return;
      }
      for (let i = 0; i < count; i++) targets[i]?.enqueue(source, outcome);
    } finally {
      this.deadLetters.release();
    }
  }

  // --- inside

  #trace(tracer: Tracer, exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): void {
    const { targets } = this.#walk;
    // The next one is to be traced too.
    this.#walk.byKey = false;
    const keys = [message.routingKey, ...furtherKeys];
    const traced = message.origin && tracer.ofPublish(exchange.name, keys, targets, message.origin);
    if (traced !== undefined) targets.push(traced);
  }

  #createExchange(name: string, typeName: string, options: ExchangeOptions, logId?: number): Exchange {
    const type = exchangeType(typeName);
    if (type === undefined) throw new BrokerError('precondition-failed', `unknown exchange type '${typeName}'`);
    const exchange = new Exchange(name, type, options, this, logId);
    this.policies.applyToExchange(exchange);
    return exchange;
  }

  #createQueue(id: number, name: string, type: QueueType, options: QueueOptions): Queue {
    const queue = type.create(id, name, options, this);
    this.policies.applyToQueue(queue);
    return queue;
  }

  #assertRoomForQueue(name: string): void {
    const { maxQueues } = this.parameters.limits;
    if (!isReached(maxQueues, this.#queues.size)) return;
    const limit = `queue limit in vhost '${this.name}' (${maxQueues}) is reached`;
    throw new BrokerError('precondition-failed', `cannot declare queue '${name}': ${limit}`);
  }

  #restoreExchange(definition: ExchangeDefinition): void {
    const { name, type, autoDelete, internal, arguments: args, logId } = definition;
    const options = { durable: true, autoDelete, internal, arguments: args };
    const exchange = this.#createExchange(name, type, options, logId);
    this.#exchanges.set(name, exchange);
    exchange.router.restore?.();
  }

  #restoreQueue({ id, name, type, autoDelete, arguments: args }: QueueDefinition): void {
    const options = { durable: true, autoDelete, owner: undefined, arguments: args };
    const queue = this.#createQueue(id, name, queueType(type), options);
    queue.restore();
    this.#insertQueue(queue);
  }

  #restoreBinding(definition: BindingDefinition): void {
    const { source, destinationKind: kind, destination: name, routingKey, arguments: args } = definition;
    const owner = {};
    this.#bindings.attach(this.exchange(source), this.#destination({ kind, name }, owner), routingKey, args);
  }

  #insertQueue(queue: Queue): void {
    this.#queues.set(queue.name, queue);
    this.#bindings.attach(this.#defaultExchange, { kind: 'queue', queue }, queue.name, EMPTY_TABLE);
  }

  #existing(to: DestinationName): BindingDestination | undefined {
    const queue = to.kind === 'queue' ? this.#queues.get(to.name) : undefined;
    if (queue !== undefined) return { kind: 'queue', queue };
    const exchange = to.kind === 'exchange' ? this.#exchanges.get(to.name) : undefined;
    return exchange === undefined ? undefined : { kind: 'exchange', exchange };
  }

  #destination(to: DestinationName, requester: QueueOwner): BindingDestination {
    if (to.kind === 'queue') return { kind: 'queue', queue: this.queue(to.name, requester) };
    return { kind: 'exchange', exchange: this.exchange(to.name) };
  }

  /** An auto-delete exchange without its last binding. */
  #isOrphaned(source: Exchange): boolean {
    return source.options.autoDelete && source.outgoingCount === 0 && this.#exchanges.get(source.name) === source;
  }

  /** Takes exchanges out, and those with them that this orphans: a chain of them may be longer than a stack is deep. */
  #removeExchanges(going: Exchange[]): void {
    for (let exchange = going.pop(); exchange !== undefined; exchange = going.pop()) {
      this.#exchanges.delete(exchange.name);
      for (const binding of [...exchange.outgoing]) this.#bindings.remove(binding);
      this.#unbindDestination(exchange.incoming, going);
      if (exchange.options.durable) this.#changes.remove(exchangeDefinition(this.name, exchange));
      exchange.router.delete?.();
      this.touch();
      this.events.emit('exchange.deleted', () => nameFacts(exchange.name, this.name));
    }
  }

  #removeQueue(queue: Queue): void {
    const orphans: Exchange[] = [];
    this.#queues.delete(queue.name);
    this.#unbindDestination(queue.bindings, orphans);
    const owner = queue.options.owner;
    if (owner !== undefined) this.#owned.get(owner)?.delete(queue);
    else if (queue.options.durable) this.#changes.remove(queueDefinition(this.name, queue));
    queue.delete();
    this.events.emit('queue.deleted', () => nameFacts(queue.name, this.name));
    this.#removeExchanges(orphans);
    this.touch();
  }

  /** Removes the bindings that lead to one destination and notes the exchanges that this orphans. */
  #unbindDestination(incoming: Set<Binding>, orphans: Exchange[]): void {
    for (const binding of [...incoming]) {
      this.#bindings.remove(binding);
      if (this.#isOrphaned(binding.source)) orphans.push(binding.source);
    }
  }

  #own(owner: QueueOwner, queue: Queue): void {
    const owned = this.#owned.get(owner);
    if (owned === undefined) this.#owned.set(owner, new Set([queue]));
    else owned.add(queue);
  }
}
