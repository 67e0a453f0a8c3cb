/**
 * The composition root: builds every part of a broker, starts it and stops it, in order. Only this file wires
 * services across folders.
 */
import { hostname } from 'node:os';
import { decodeProperties, encodeProperties } from '../protocol/amqp/properties.js';
import { copyWithLong, textHeader } from '../protocol/amqp/raw-headers.js';
import { Admission } from './auth/admission.js';
import { Authenticator } from './auth/authenticator.js';
import { OpenConnections } from './auth/open-connections.js';
import { FULL_PERMISSIONS } from './auth/permissions.js';
import { UserStore } from './auth/user-store.js';
import { SystemClock } from './clock.js';
import { type BrokerOptions, parseOption, restrictedToLoopback, stompPortToListenOn } from './config.js';
import { Deadlines } from './core/deadlines.js';
import { logIdsOf } from './core/definitions.js';
import { EventExchange } from './core/event-exchange.js';
import { Events, text } from './core/events.js';
import { GlobalParameters } from './core/global-parameters.js';
import type { Definition } from './core/ports/definition-store.js';
import type { PropertiesCodec } from './core/ports/properties-codec.js';
import { Turn } from './core/turn.js';
import { VirtualHost } from './core/virtual-host.js';
import { BrokerError } from './errors.js';
import type { Logger } from './logger.js';
import { type Administration, BrokerAdministration } from './management/administration.js';
import { definitionsFiles } from './management/definitions-files.js';
import { ChunkPool } from './net/chunk-pool.js';
import { HeartbeatMonitor } from './net/heartbeat.js';
import { type Accept, Listener } from './net/listener.js';
import { memoryLimitBytes } from './resources/memory-limit.js';
import { AmqpConnection } from './session/amqp/connection.js';
import type { AmqpEnvironment } from './session/amqp/environment.js';
import { serverProperties } from './session/amqp/handshake.js';
import { Connections } from './session/shared/connections.js';
import { ConsumerTimeouts } from './session/shared/consumer-timeouts.js';
import { Durability } from './session/shared/durability.js';
import { type AlarmSource, Alarms } from './session/shared/flow-control.js';
import { PublishThrottle } from './session/shared/publish-throttle.js';
import { StompConnection } from './session/stomp/connection.js';
import type { StompEnvironment } from './session/stomp/environment.js';
import { openStorage, type Storage } from './storage.js';
import { programName } from './version.js';

/** The RabbitMQ release whose behaviour clients may expect; some of them parse it. */
const ANNOUNCED_VERSION = '4.2.0';
const NODE_NAME = `jackalope@${hostname()}`;
const ADDRESS_MISSING = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];
const SHUTDOWN = "broker forced connection closure with reason 'shutdown'";
const LOOPBACK_HOSTS = ['127.0.0.1', '::1'];

/** A running broker. */
export interface Broker extends Administration {
  /** `amqp://user:password@host:port` of the default user, ready to paste into a client; without it, no user. */
  readonly amqpUrl: string;
  readonly amqpPort: number;
  /** `stomp://user:password@host:port`; undefined without STOMP. */
  readonly stompUrl: string | undefined;
  readonly stompPort: number | undefined;
  /** Connections open now. */
  readonly connectionCount: number;
  /** Blocks publishing connections as RabbitMQ does when it runs low. */
  raiseAlarm(source: AlarmSource): void;
  clearAlarm(source: AlarmSource): void;
  /**
   * Bytes, `512MB`, or `40%` of what the process may use: from three quarters of it on messages leave memory, above it
   * publishers are blocked. Throws OptionError.
   */
  setMemoryLimit(limit: number | string): void;
  /** What must stay free on the disk of the data directory, or publishers are blocked. Throws OptionError. */
  setDiskFreeLimit(limit: number | string): void;
  /** Resolves when the storage has failed for good and the broker has closed because of it; else never. */
  readonly failed: Promise<Error>;
  /** Sends every client 320, waits for them shortly, and closes all sockets. Idempotent. */
  close(): Promise<void>;
}

/** Starts a broker. Rejects when it cannot use its data directory or listen. `log` is where its lines go. */
export async function runBroker(options: BrokerOptions, log: Logger): Promise<Broker> {
  const clock = new SystemClock();
  const turn = new Turn(clock, (error) => log.error({ err: error }, 'unexpected failure at the end of a turn'));
  const alarms = new Alarms();
  let broker: RunningBroker | undefined;
  const onLost = (error: unknown): void => {
    log.fatal({ err: error }, 'the storage has failed for good: the broker stops');
    broker?.fail(error);
  };
  const storage = await openStorage({ options, clock, turn, log, alarms, onLost });
  try {
    broker = new RunningBroker({ options, log, clock, turn, alarms, storage });
    await broker.start();
    return Object.assign(broker, broker.administration.bound);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

interface BrokerParts {
  readonly options: BrokerOptions;
  readonly log: Logger;
  readonly clock: SystemClock;
  readonly turn: Turn;
  readonly alarms: Alarms;
  readonly storage: Storage;
}

/** What sessions of every protocol need. */
type SessionParts = Omit<AmqpEnvironment, 'limits' | 'serverProperties'>;

const PROPERTIES: PropertiesCodec = {
  decode: decodeProperties,
  encode: encodeProperties,
  textHeader,
  copyWithLong,
};

class RunningBroker implements Omit<Broker, keyof Administration> {
  amqpPort = 0;
  stompPort: number | undefined;
  readonly failed: Promise<Error>;
  readonly administration: BrokerAdministration;
  readonly #options: BrokerOptions;
  readonly #log: Logger;
  readonly #clock: SystemClock;
  readonly #events = new Events();
  readonly #turn: Turn;
  readonly #deadlines: Deadlines;
  readonly #virtualHosts = new Map<string, VirtualHost>();
  readonly #alarms: Alarms;
  readonly #heartbeats: HeartbeatMonitor;
  readonly #consumerTimeouts: ConsumerTimeouts;
  readonly #storage: Storage;
  readonly #users: UserStore;
  readonly #globalParameters: GlobalParameters;
  readonly #connections = new OpenConnections(this.#events);
  readonly #amqp: Connections;
  readonly #stomp: Connections;
  readonly #listener: Listener;
  #lastLogId = 0;
  #closed: Promise<void> | undefined;
  #announceFailure: (error: Error) => void = () => {};

  constructor({ options, log, clock, turn, alarms, storage }: BrokerParts) {
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.#turn = turn;
    this.#deadlines = new Deadlines(clock, (error) => log.error({ err: error }, 'unexpected failure of what was due'));
    this.#alarms = alarms;
    this.#storage = storage;
    this.#users = new UserStore(storage.definitions);
    this.#globalParameters = new GlobalParameters(storage.definitions);
    this.administration = this.#createAdministration();
    this.#heartbeats = new HeartbeatMonitor(clock);
    this.#consumerTimeouts = new ConsumerTimeouts(clock, options.consumerTimeoutMs);
    const parts = this.#sessionParts();
    const amqp = this.#amqpEnvironment(parts);
    this.#amqp = new Connections(clock, (transport, onGone) => new AmqpConnection(transport, amqp, onGone));
    const stomp = this.#stompEnvironment(parts);
    this.#stomp = new Connections(clock, (transport, onGone) => new StompConnection(transport, stomp, onGone));
    this.#listener = new Listener(new ChunkPool(), turn, options.maxConnections, {
      refused: (reason) => log.warn({ reason }, 'connection refused'),
    });
    this.failed = new Promise((resolve) => {
      this.#announceFailure = resolve;
    });
  }

  get amqpUrl(): string {
    const { defaultVirtualHost } = this.#options;
    // A URL that ends in '/' names the virtual host '' to librabbitmq, bunny and the Java client.
    const path = defaultVirtualHost === '/' ? '' : `/${encodeURIComponent(defaultVirtualHost)}`;
    return `amqp://${this.#authority}:${this.amqpPort}${path}`;
  }

  get stompUrl(): string | undefined {
    return this.stompPort === undefined ? undefined : `stomp://${this.#authority}:${this.stompPort}`;
  }

  /** `user:password@host` */
  get #authority(): string {
    const { hosts, defaultUser, defaultPassword } = this.#options;
    const first = hosts?.[0] ?? '127.0.0.1';
    const host = first === '0.0.0.0' || first === '::' ? '127.0.0.1' : first.includes(':') ? `[${first}]` : first;
    // Definitions bring other users, of whose passwords only hashes are known.
    const known = this.#users.find(defaultUser) !== undefined;
    return known ? `${encodeURIComponent(defaultUser)}:${encodeURIComponent(defaultPassword)}@${host}` : host;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  async start(): Promise<void> {
    this.#restore([...this.#storage.definitions.load()]);
    try {
      // As RabbitMQ does it: definitions bring their own virtual hosts and users.
      if (this.#options.definitions === undefined) this.#seed();
      else this.#importDefinitions(this.#options.definitions);
      this.#announceEvents();
      await this.#listen();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** From now on: what the start brought back or made is no news. */
  #announceEvents(): void {
    const host = this.#virtualHosts.get(this.#options.defaultVirtualHost);
    if (!this.#options.eventExchange || host === undefined) return;
    new EventExchange(host, this.#events, this.#clock);
    this.#alarms.onChange = (source, isRaised) => {
      this.#events.emit(isRaised ? 'alarm.set' : 'alarm.cleared', () => [
        ['alarm_type', text(source)],
        ['node', text(NODE_NAME)],
      ]);
    };
  }

  /** The storage has failed for good. */
  fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    const announce = (): void => this.#announceFailure(failure);
    this.close().then(announce, announce);
  }

  raiseAlarm(source: AlarmSource): void {
    this.#log.warn({ source }, 'resource alarm raised: publishers are blocked');
    this.#alarms.raise(source);
  }

  clearAlarm(source: AlarmSource): void {
    this.#log.info({ source }, 'resource alarm cleared');
    this.#alarms.clear(source);
  }

  setMemoryLimit(limit: number | string): void {
    this.#storage.memory.limitBytes = memoryLimitBytes(parseOption('memoryLimit', limit));
  }

  setDiskFreeLimit(limit: number | string): void {
    const bytes = parseOption('diskFreeLimitBytes', limit);
    if (this.#storage.disk !== undefined) this.#storage.disk.limitBytes = bytes;
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop();
    return this.#closed;
  }

  async #stop(): Promise<void> {
    this.#listener.stopAccepting();
    await Promise.all([this.#amqp, this.#stomp].map((connections) => connections.close(SHUTDOWN)));
    await this.#listener.close();
    this.#heartbeats.close();
    this.#consumerTimeouts.close();
    this.#deadlines.close();
    await this.#storage.close();
    this.#log.info('broker stopped');
  }

  /** Takes back what the data directory holds. */
  #restore(definitions: readonly Definition[]): void {
    this.#lastLogId = this.#storage.highestLogId;
    let queues = 0;
    for (const definition of definitions) {
      if (definition.kind === 'queue') queues++;
      this.#lastLogId = Math.max(this.#lastLogId, ...logIdsOf(definition));
    }
    for (const definition of definitions) {
      if (definition.kind !== 'virtual-host') continue;
      const host = this.#createVirtualHost(definition.name);
      if (definition.metadata !== undefined) host.metadata = definition.metadata;
      host.restore(definitions);
    }
    this.#users.restore(definitions);
    this.#globalParameters.restore(definitions);
    if (definitions.length > 0) this.#log.info({ queues }, 'data directory restored');
  }

  /** What is there from the start is only made where nothing is yet. */
  #seed(): void {
    const { defaultUser, defaultPassword, defaultVirtualHost } = this.#options;
    if (this.#virtualHosts.size === 0) this.administration.addVirtualHost(defaultVirtualHost);
    if (this.#users.size > 0) return;
    this.#users.add(defaultUser, defaultPassword, ['administrator']);
    for (const name of this.#virtualHosts.keys()) this.#users.setPermissions(defaultUser, name, FULL_PERMISSIONS);
  }

  #importDefinitions(path: string): void {
    for (const { file, text } of definitionsFiles(path)) {
      try {
        const { notInEffect } = this.administration.importDefinitions(text);
        this.#log.info({ file }, 'definitions imported');
        if (notInEffect.length > 0) this.#log.warn({ file, notInEffect }, 'definitions that are not in effect');
      } catch (error) {
        if (error instanceof BrokerError) throw new BrokerError(error.kind, `${file}: ${error.message}`);
        throw error;
      }
    }
  }

  #createAdministration(): BrokerAdministration {
    return new BrokerAdministration({
      virtualHosts: this.#virtualHosts,
      users: this.#users,
      connections: this.#connections,
      definitions: this.#storage.definitions,
      globalParameters: this.#globalParameters,
      events: this.#events,
      defaultUser: this.#options.defaultUser,
      announcedVersion: ANNOUNCED_VERSION,
      createVirtualHost: (name) => this.#createVirtualHost(name),
      forgetVirtualHost: (name) => this.#virtualHosts.delete(name),
    });
  }

  #createVirtualHost(name: string): VirtualHost {
    const host = new VirtualHost(name, {
      turn: this.#turn,
      logs: this.#storage.logs,
      definitions: this.#storage.definitions,
      deadlines: this.#deadlines,
      properties: PROPERTIES,
      events: this.#events,
      nodeName: NODE_NAME,
      trustsClientDeaths: this.#options.trustClientDeaths,
      random: Math.random,
      nextLogIds: (count) => this.#nextLogIds(count),
    });
    this.#virtualHosts.set(name, host);
    return host;
  }

  #nextLogIds(count: number): number {
    const first = this.#lastLogId + 1;
    this.#lastLogId += count;
    return first;
  }

  #sessionParts(): SessionParts {
    const { defaultUser, defaultPassword } = this.#options;
    const anonymous = { name: defaultUser, password: Buffer.from(defaultPassword) };
    const throttle = new PublishThrottle(this.#turn);
    const admission = new Admission((name) => this.#virtualHosts.get(name), this.#users, this.#connections);
    this.#storage.logs.pager.onCongestion = (congested) => throttle.set('paging', congested);
    return {
      clock: this.#clock,
      turn: this.#turn,
      log: this.#log,
      events: this.#events,
      authenticator: new Authenticator(this.#users, restrictedToLoopback(this.#options), anonymous, this.#events),
      alarms: this.#alarms,
      heartbeats: this.#heartbeats,
      consumerTimeouts: this.#consumerTimeouts,
      throttle,
      durability: new Durability(this.#storage.logs.store, this.#turn, throttle),
      openVirtualHost: (name, user, owner) => admission.admit(name, user, owner),
    };
  }

  #amqpEnvironment(parts: SessionParts): AmqpEnvironment {
    const { channelMax, frameMax, heartbeatSeconds, maxMessageSizeBytes, handshakeTimeoutMs } = this.#options;
    return {
      ...parts,
      limits: { channelMax, frameMax, heartbeatSeconds, maxMessageSizeBytes, handshakeTimeoutMs },
      serverProperties: serverProperties({
        version: ANNOUNCED_VERSION,
        clusterName: NODE_NAME,
        platform: `${programName()} on Node.js ${process.versions.node}`,
      }),
    };
  }

  #stompEnvironment(parts: SessionParts): StompEnvironment {
    const { handshakeTimeoutMs, defaultUser, defaultPassword, defaultVirtualHost } = this.#options;
    return {
      ...parts,
      loginTimeoutMs: handshakeTimeoutMs,
      defaults: { user: defaultUser, password: defaultPassword, virtualHost: defaultVirtualHost },
      serverName: `RabbitMQ/${ANNOUNCED_VERSION}`,
    };
  }

  async #listen(): Promise<void> {
    const { amqpPort } = this.#options;
    const stompPort = stompPortToListenOn(this.#options);
    this.amqpPort = await this.#listenOn(amqpPort, (transport) => transport.attach(this.#amqp.accept(transport)));
    if (stompPort === 'off') return;
    this.stompPort = await this.#listenOn(stompPort, (transport) => transport.attach(this.#stomp.accept(transport)));
  }

  /** By default on both loopback addresses; a machine without IPv6 has only one. */
  async #listenOn(port: number, accept: Accept): Promise<number> {
    const { hosts } = this.#options;
    const [first, ...others] = hosts ?? LOOPBACK_HOSTS;
    if (first === undefined) throw new Error('no address to listen on');
    const taken = await this.#listener.listen(first, port, accept);
    for (const host of others) {
      try {
        await this.#listener.listen(host, taken, accept);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        // By default the second address is a courtesy: a machine may lack it, and a port that was free on the first
        // may be taken there.
        const optional = hosts === undefined && (ADDRESS_MISSING.includes(code) || port === 0);
        if (!optional) throw error;
      }
    }
    return taken;
  }
}
