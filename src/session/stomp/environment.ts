/**
 * What every STOMP connection of a broker shares; `broker.ts` puts it together.
 */
import type { StompLimits } from '../../../protocol/stomp/frame-parser.js';
import type { Authenticator } from '../../auth/authenticator.js';
import type { ClientConnection } from '../../auth/open-connections.js';
import type { User } from '../../auth/user-store.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import type { Clock } from '../../clock.js';
import type { Turn } from '../../core/turn.js';
import type { Logger } from '../../logger.js';
import type { HeartbeatMonitor } from '../../net/heartbeat.js';
import type { ConsumerTimeouts } from '../shared/consumer-timeouts.js';
import type { Durability } from '../shared/durability.js';
import type { Alarms } from '../shared/flow-control.js';
import type { PublishThrottle } from '../shared/publish-throttle.js';

/** Who and where a client is that does not say. */
export interface LoginDefaults {
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

export interface StompEnvironment {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly loginTimeoutMs: number;
  readonly authenticator: Authenticator;
  readonly defaults: LoginDefaults;
  readonly alarms: Alarms;
  readonly heartbeats: HeartbeatMonitor;
  readonly consumerTimeouts: ConsumerTimeouts;
  readonly durability: Durability;
  readonly throttle: PublishThrottle;
  /** Sent in CONNECTED: `RabbitMQ/4.2.0`. */
  readonly serverName: string;
  /** Throws BrokerError('not-allowed') for an unknown virtual host, at a limit, and for a user without permissions. */
  openVirtualHost(name: string, user: User, owner: ClientConnection): VirtualHostAccess;
}

/** RabbitMQ's `max_frame_size` before and after the login, and its number of headers (SEMANTICS 4.1). */
export const LOGIN_LIMITS: StompLimits = { headers: 100, headBytes: 64 * 1024, frameBytes: 64 * 1024 };
export const FRAME_LIMITS: StompLimits = { headers: 100, headBytes: 64 * 1024, frameBytes: 4 * 1024 * 1024 };
