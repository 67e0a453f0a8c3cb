/**
 * CONNECT: version, user, virtual host and heart-beats (SEMANTICS 4.2). Checks only; what it finds is the connection's
 * to act on.
 */
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { headerId } from '../../../protocol/stomp/names.js';
import type { ClientConnection } from '../../auth/open-connections.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import { BrokerError } from '../../errors.js';
import type { StompEnvironment } from './environment.js';
import { processingError, StompError } from './errors.js';
import { parseInteger } from './frame-headers.js';
import type { StompVersion } from './session.js';

/** Best first. */
const VERSIONS: readonly StompVersion[] = ['1.2', '1.1', '1.0'];
export const SUPPORTED_VERSIONS = '1.0,1.1,1.2';

const ACCEPT_VERSION = headerId('accept-version');
const LOGIN = headerId('login');
const PASSCODE = headerId('passcode');
const HOST = headerId('host');
const HEART_BEAT = headerId('heart-beat');
/** Longer intervals are as good as none. */
const LONGEST_HEARTBEAT_SECONDS = 24 * 60 * 60;

export interface Login {
  readonly version: StompVersion;
  readonly access: VirtualHostAccess;
  /** How often we send, and how often the client does; 0 is off. */
  readonly sendSeconds: number;
  readonly receiveSeconds: number;
}

/** Throws StompError. */
export function logIn(
  environment: StompEnvironment,
  frame: StompFrame,
  peerAddress: string,
  owner: ClientConnection,
): Login {
  const version = negotiate(frame.text(ACCEPT_VERSION) ?? '1.0');
  // STOMP 1.0 ignores blanks before values, and this frame was read before its version was known.
  const value = (id: number): string | undefined =>
    version === '1.0' ? frame.text(id)?.replace(/^ +/, '') : frame.text(id);
  const [sendSeconds, receiveSeconds] = heartbeats(value(HEART_BEAT) ?? '0,0');
  const { defaults, authenticator } = environment;
  const name = value(LOGIN) ?? defaults.user;
  const password = Buffer.from(value(PASSCODE) ?? defaults.password);
  const result = authenticator.login({ name, password }, peerAddress);
  if (result.outcome === 'refused' && result.fromAfar) throw badConnect('non-loopback access denied');
  if (result.outcome !== 'accepted') throw badConnect(`Access refused for user '${name}'\n`);
  const host = value(HOST) ?? defaults.virtualHost;
  try {
    const access = environment.openVirtualHost(host, result.user, owner);
    return { version, access, sendSeconds, receiveSeconds };
  } catch (error) {
    if (error instanceof BrokerError) throw badConnect(`Virtual host '${host}' access denied`);
    throw error;
  }
}

function negotiate(offered: string): StompVersion {
  const accepted = offered.split(',');
  const version = VERSIONS.find((candidate) => accepted.includes(candidate));
  if (version !== undefined) return version;
  throw new StompError('Version mismatch', `Supported versions are ${SUPPORTED_VERSIONS}\n`);
}

/** Each side's interval is what the other asked for, in whole seconds. */
function heartbeats(text: string): readonly [sendSeconds: number, receiveSeconds: number] {
  const intervals = text.split(',').map(parseInteger);
  const [sends, wants] = intervals;
  if (sends === undefined || wants === undefined || intervals.length > 2) throw processingError();
  return [wholeSeconds(wants), wholeSeconds(sends)];
}

function wholeSeconds(ms: number): number {
  if (Number.isNaN(ms)) throw processingError();
  if (ms <= 0) return 0;
  return ms < 1000 ? 1 : Math.min(Math.floor(ms / 1000), LONGEST_HEARTBEAT_SECONDS);
}

function badConnect(detail: string): StompError {
  return new StompError('Bad CONNECT', detail);
}
