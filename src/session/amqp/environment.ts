/**
 * What every AMQP connection of a broker shares; `broker.ts` puts it together.
 */
import type { Authenticator } from '../../auth/authenticator.js';
import type { ClientConnection } from '../../auth/open-connections.js';
import type { User } from '../../auth/user-store.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import type { Clock } from '../../clock.js';
import type { Events } from '../../core/events.js';
import type { FieldTable } from '../../core/field-value.js';
import type { Turn } from '../../core/turn.js';
import type { Logger } from '../../logger.js';
import type { HeartbeatMonitor } from '../../net/heartbeat.js';
import type { ConsumerTimeouts } from '../shared/consumer-timeouts.js';
import type { Durability } from '../shared/durability.js';
import type { Alarms } from '../shared/flow-control.js';
import type { PublishThrottle } from '../shared/publish-throttle.js';

export interface AmqpLimits {
  /** Channels a connection may have open at once; 0 is no limit. */
  readonly channelMax: number;
  /** Bytes; 0 is no limit. */
  readonly frameMax: number;
  readonly heartbeatSeconds: number;
  readonly maxMessageSizeBytes: number;
  readonly handshakeTimeoutMs: number;
}

export interface AmqpEnvironment {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly events: Events;
  readonly limits: AmqpLimits;
  readonly authenticator: Authenticator;
  readonly alarms: Alarms;
  readonly heartbeats: HeartbeatMonitor;
  readonly consumerTimeouts: ConsumerTimeouts;
  readonly durability: Durability;
  readonly throttle: PublishThrottle;
  /** Sent in connection.start. */
  readonly serverProperties: FieldTable;
  /** Throws BrokerError('not-allowed') for an unknown virtual host, at a limit, and for a user without permissions. */
  openVirtualHost(name: string, user: User, owner: ClientConnection): VirtualHostAccess;
}
