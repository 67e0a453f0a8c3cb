/**
 * The public API: a broker in this process.
 *
 *     const broker = await startBroker({ port: 0 });
 *     const connection = await amqplib.connect(broker.amqpUrl);
 *     …
 *     await broker.close();
 */
import { type Broker, runBroker } from './broker.js';
import { brokerOptions, OptionError, type StartOptions } from './config.js';
import { BrokerError } from './errors.js';
import { createLogger } from './logger.js';

export type { PermissionPatterns } from './auth/permissions.js';
export type { JsonObject, JsonValue } from './core/json-value.js';
export type { VirtualHostLimits } from './core/limits.js';
export type { UserLimits, VirtualHostMetadata } from './core/ports/definition-store.js';
export type {
  Administration,
  GivenPolicyIn,
  ParameterIn,
  PolicyIn,
  UserInfo,
  VirtualHostInfo,
} from './management/administration.js';
export type { ImportReport } from './management/definitions-import.js';
export type { AlarmSource } from './session/shared/flow-control.js';
export { type Broker, BrokerError, OptionError, type StartOptions };

/**
 * Starts a broker that keeps everything in memory. Several may run in one process, each on its own port; port 0 takes
 * any free one. Rejects with OptionError for a bad option and with Node's error when it cannot listen.
 */
export function startBroker(options: StartOptions = {}): Promise<Broker> {
  const checked = brokerOptions(options);
  return runBroker(checked, createLogger(checked));
}
