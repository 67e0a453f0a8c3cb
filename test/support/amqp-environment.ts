/** AMQP connections over memory: the session, auth and core as the broker wires them, without sockets or disk. */
import { Authenticator } from '../../src/auth/authenticator.js';
import { FULL_PERMISSIONS } from '../../src/auth/permissions.js';
import { UserStore } from '../../src/auth/user-store.js';
import { VirtualHostAccess } from '../../src/auth/virtual-host-access.js';
import { Events } from '../../src/core/events.js';
import type { MessageStore } from '../../src/core/ports/message-store.js';
import { BrokerError } from '../../src/errors.js';
import type { Logger } from '../../src/logger.js';
import { HeartbeatMonitor } from '../../src/net/heartbeat.js';
import { AmqpConnection } from '../../src/session/amqp/connection.js';
import type { AmqpEnvironment, AmqpLimits } from '../../src/session/amqp/environment.js';
import { serverProperties } from '../../src/session/amqp/handshake.js';
import { ConsumerTimeouts } from '../../src/session/shared/consumer-timeouts.js';
import { Durability } from '../../src/session/shared/durability.js';
import { Alarms } from '../../src/session/shared/flow-control.js';
import { PublishThrottle } from '../../src/session/shared/publish-throttle.js';
import { MemoryDefinitionStore, MemoryMessageStore } from '../../src/store/memory-store.js';
import { type CoreEnvironment, coreEnvironment } from './core-environment.js';
import { MemoryTransport } from './memory-transport.js';

export interface LogLine {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export interface MemoryBroker extends CoreEnvironment {
  readonly amqp: AmqpEnvironment;
  readonly alarms: Alarms;
  readonly logged: LogLine[];
  /** Connections that are not gone yet. */
  readonly connections: Set<AmqpConnection>;
  connect(): { readonly connection: AmqpConnection; readonly transport: MemoryTransport };
}

export const GUEST = 'guest';

const LIMITS: AmqpLimits = {
  channelMax: 2047,
  frameMax: 131_072,
  heartbeatSeconds: 60,
  maxMessageSizeBytes: 16_777_216,
  handshakeTimeoutMs: 10_000,
};

/** Hashing takes longer than the rest, so all brokers have the same users. */
const USERS = new UserStore(new MemoryDefinitionStore());
USERS.add(GUEST, GUEST, ['administrator']);
USERS.setPermissions(GUEST, '/', FULL_PERMISSIONS);

export function memoryBroker(limits: Partial<AmqpLimits> = {}, store?: MessageStore): MemoryBroker {
  const core = coreEnvironment(store);
  const { clock, turn, host } = core;
  const alarms = new Alarms();
  const throttle = new PublishThrottle(turn);
  const logged: LogLine[] = [];
  const connections = new Set<AmqpConnection>();
  const amqp: AmqpEnvironment = {
    clock,
    turn,
    log: recordingLogger(logged),
    limits: { ...LIMITS, ...limits },
    authenticator: new Authenticator(USERS, [], { name: GUEST, password: Buffer.from(GUEST) }),
    alarms,
    events: new Events(),
    heartbeats: new HeartbeatMonitor(clock),
    consumerTimeouts: new ConsumerTimeouts(clock, 30 * 60 * 1000),
    throttle,
    durability: new Durability(store ?? new MemoryMessageStore(), turn, throttle),
    serverProperties: serverProperties({ platform: 'tests', version: '4.2.0', clusterName: 'test' }),
    openVirtualHost: (name, user, owner) => {
      if (name !== host.name) throw new BrokerError('not-allowed', `vhost ${name} not found`);
      return new VirtualHostAccess(user, host, USERS, owner);
    },
  };
  const connect = () => {
    const transport = new MemoryTransport(clock);
    const connection: AmqpConnection = new AmqpConnection(transport, amqp, () => {
      connections.delete(connection);
    });
    transport.attach(connection);
    connections.add(connection);
    return { connection, transport };
  };
  return { ...core, amqp, alarms, logged, connections, connect };
}

export function recordingLogger(lines: LogLine[]): Logger {
  const method =
    (level: string) =>
    (first: object | string, message?: string): void => {
      const fields = typeof first === 'string' ? {} : { ...first };
      lines.push({ level, fields, message: typeof first === 'string' ? first : (message ?? '') });
    };
  const logger: Logger = {
    level: 'debug',
    fatal: method('fatal'),
    error: method('error'),
    warn: method('warn'),
    info: method('info'),
    debug: method('debug'),
    trace: method('trace'),
    isLevelEnabled: () => true,
    child: () => logger,
  };
  return logger;
}
