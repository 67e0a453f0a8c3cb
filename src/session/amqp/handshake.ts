/**
 * From the protocol header to connection.open-ok, and every way it fails (SEMANTICS 1.1-1.6). A short-lived object: it
 * ends with what was agreed, or throws. `SilentRefusal` closes the socket without a frame, as RabbitMQ does while it
 * does not know its peer; a BrokerError is answered by connection.close.
 */
import { readTableBody, table } from '../../../protocol/amqp/field-table.js';
import {
  decodeConnectionOpen,
  decodeConnectionStartOk,
  decodeConnectionTuneOk,
  MethodId,
  writeConnectionOpenOk,
  writeConnectionStart,
  writeConnectionTune,
} from '../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import type { LoginResult } from '../../auth/authenticator.js';
import type { ClientConnection } from '../../auth/open-connections.js';
import type { User } from '../../auth/user-store.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import { EMPTY_TABLE, type FieldTable, lookUp } from '../../core/field-value.js';
import { BrokerError } from '../../errors.js';
import type { AmqpEnvironment } from './environment.js';
import type { FrameOutput } from './frame-output.js';

const MECHANISMS = Buffer.from('PLAIN AMQPLAIN ANONYMOUS');
const LOCALES = Buffer.from('en_US');
/** RabbitMQ 4.1 asks for 8192, but clients of its predecessors ask for 4096 and must still get in. */
const SMALLEST_FRAME_MAX = 4096;

/** The peer is not told why; the log is. */
export class SilentRefusal extends Error {
  override readonly name = 'SilentRefusal';
}

/** A login that failed, from a client that wants to be told (capability `authentication_failure_close`). */
export class LoginRefusal extends BrokerError {}

export interface Capabilities {
  readonly authenticationFailureClose: boolean;
  readonly consumerCancelNotify: boolean;
  readonly connectionBlocked: boolean;
}

export class Handshake {
  stage: 'start-ok' | 'tune-ok' | 'open' | 'done' = 'start-ok';
  capabilities: Capabilities = {
    authenticationFailureClose: false,
    consumerCancelNotify: false,
    connectionBlocked: false,
  };
  clientProperties: FieldTable = EMPTY_TABLE;
  user: User | undefined;
  access: VirtualHostAccess | undefined;
  channelMax: number;
  frameMax: number;
  heartbeatSeconds: number;
  readonly #environment: AmqpEnvironment;
  readonly #output: FrameOutput;
  readonly #peerAddress: string;

  constructor(environment: AmqpEnvironment, output: FrameOutput, peerAddress: string) {
    this.#environment = environment;
    this.#output = output;
    this.#peerAddress = peerAddress;
    this.channelMax = environment.limits.channelMax;
    this.frameMax = environment.limits.frameMax;
    this.heartbeatSeconds = environment.limits.heartbeatSeconds;
  }

  start(): void {
    writeConnectionStart(this.#output.writer, 0, 0, 9, this.#environment.serverProperties, MECHANISMS, LOCALES);
    this.#output.touch();
  }

  /** A method on channel 0. `owner` is the connection, which exclusive queues will belong to. */
  accept(id: number, reader: ByteReader, owner: ClientConnection): void {
    if (this.stage === 'start-ok' && id === MethodId.ConnectionStartOk) this.#startOk(reader);
    else if (this.stage === 'tune-ok' && id === MethodId.ConnectionTuneOk) this.#tuneOk(reader);
    else if (this.stage === 'open' && id === MethodId.ConnectionOpen) this.#open(reader, owner);
    else if (this.stage === 'start-ok') throw new SilentRefusal('unexpected method before connection.start-ok');
    else {
      const state = this.stage === 'open' ? 'opening' : 'tuning';
      throw new BrokerError('channel-error', `unexpected method in connection state ${state}`);
    }
  }

  #startOk(reader: ByteReader): void {
    const { clientProperties, mechanism, response } = decodeConnectionStartOk(reader);
    this.clientProperties = clientProperties;
    this.capabilities = readCapabilities(clientProperties);
    const result = this.#login(mechanism, response);
    switch (result.outcome) {
      case 'accepted':
        this.user = result.user;
        break;
      case 'refused':
        throw this.#refusal(mechanism, result.userName);
      case 'malformed':
        throw new SilentRefusal(result.reason);
    }
    const { channelMax, frameMax, heartbeatSeconds } = this.#environment.limits;
    writeConnectionTune(this.#output.writer, 0, channelMax, frameMax, heartbeatSeconds);
    this.#output.touch();
    this.stage = 'tune-ok';
  }

  #login(mechanism: string, response: Uint8Array): LoginResult {
    const { authenticator } = this.#environment;
    switch (mechanism) {
      case 'PLAIN':
        return authenticator.plain(response, this.#peerAddress);
      case 'AMQPLAIN': {
        const credentials = readAmqplain(response);
        return credentials === undefined
          ? { outcome: 'malformed', reason: 'AMQPLAIN response malformed' }
          : authenticator.login(credentials, this.#peerAddress);
      }
      case 'ANONYMOUS':
        return authenticator.anonymous(this.#peerAddress);
      default:
        return { outcome: 'malformed', reason: 'unknown authentication mechanism' };
    }
  }

  #refusal(mechanism: string, userName: string): Error {
    if (!this.capabilities.authenticationFailureClose) return new SilentRefusal(`login of '${userName}' refused`);
    return new LoginRefusal(
      'access-refused',
      `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
    );
  }

  /** What the client answers is final; it is only checked. 0 means our own value, which clients count on. */
  #tuneOk(reader: ByteReader): void {
    const { channelMax, frameMax, heartbeat } = decodeConnectionTuneOk(reader);
    const offered = this.#environment.limits;
    if (offered.channelMax !== 0 && channelMax > offered.channelMax) {
      throw notNegotiable('channel_max', channelMax, 'higher than the maximum', offered.channelMax);
    }
    if (offered.frameMax !== 0 && frameMax > offered.frameMax) {
      throw notNegotiable('frame_max', frameMax, 'higher than the maximum', offered.frameMax);
    }
    if (frameMax !== 0 && frameMax < SMALLEST_FRAME_MAX) {
      throw notNegotiable('frame_max', frameMax, 'lower than the minimum', SMALLEST_FRAME_MAX);
    }
    this.channelMax = channelMax === 0 ? offered.channelMax : channelMax;
    this.frameMax = frameMax === 0 ? offered.frameMax : frameMax;
    this.heartbeatSeconds = heartbeat;
    this.stage = 'open';
  }

  #open(reader: ByteReader, owner: ClientConnection): void {
    const { virtualHost } = decodeConnectionOpen(reader);
    if (this.user === undefined) throw new Error('connection.open without a user');
    this.access = this.#environment.openVirtualHost(virtualHost, this.user, owner);
    writeConnectionOpenOk(this.#output.writer, 0);
    this.#output.touch();
    this.stage = 'done';
  }
}

/** What connection.start says of the server. Keys are sorted; clients read version and capabilities. */
export function serverProperties(product: {
  readonly version: string;
  readonly clusterName: string;
  readonly platform: string;
}): FieldTable {
  return table({
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      'basic.nack': true,
      consumer_cancel_notify: true,
      'connection.blocked': true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
      direct_reply_to: true,
    },
    cluster_name: product.clusterName,
    copyright: 'Copyright (c) 2026 The Jackalope authors',
    information: 'Licensed under the MIT licence',
    platform: product.platform,
    // Clients look for this name, and for a version of the series whose behaviour this is.
    product: 'RabbitMQ',
    version: product.version,
  });
}

function readCapabilities(clientProperties: FieldTable): Capabilities {
  const value = lookUp(clientProperties, 'capabilities');
  const capabilities = value?.type === 'F' ? value.value : EMPTY_TABLE;
  const has = (name: string): boolean => {
    const capability = lookUp(capabilities, name);
    return capability?.type === 't' && capability.value;
  };
  return {
    authenticationFailureClose: has('authentication_failure_close'),
    consumerCancelNotify: has('consumer_cancel_notify'),
    connectionBlocked: has('connection.blocked'),
  };
}

/** The body of a field table with LOGIN and PASSWORD; undefined when it is anything else. */
function readAmqplain(response: Uint8Array): { name: string; password: Uint8Array } | undefined {
  let fields: FieldTable;
  try {
    fields = readTableBody(new ByteReader(response), response.length);
  } catch {
    return undefined;
  }
  const login = lookUp(fields, 'LOGIN');
  const password = lookUp(fields, 'PASSWORD');
  if (login === undefined || password === undefined) return undefined;
  if ((login.type !== 'S' && login.type !== 'x') || (password.type !== 'S' && password.type !== 'x')) return undefined;
  const name = typeof login.value === 'string' ? login.value : Buffer.from(login.value).toString();
  return { name, password: typeof password.value === 'string' ? Buffer.from(password.value) : password.value };
}

function notNegotiable(field: string, value: number, relation: string, limit: number): BrokerError {
  return new BrokerError('not-allowed', `negotiated ${field} = ${value} is ${relation} allowed value (${limit})`);
}
