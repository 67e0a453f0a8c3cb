/** Where a broker is, by its URL, and the handshake of a connection up to the open virtual host. */
import { Buffer } from 'node:buffer';
import { type FieldTable, table } from '../../protocol/amqp/field-table.js';
import type { MethodNamed, ReplyName, Request } from './reply-queue.js';

const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
const DEFAULT_PORT = 5672;

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly virtualHost: string;
}

/** As the broker calls itself. */
export interface BrokerIdentity {
  readonly product: string;
  readonly version: string;
}

export interface Tuned {
  readonly identity: BrokerIdentity;
  readonly frameMax: number;
  readonly channelMax: number;
}

/** The connection, as far as the handshake needs it. */
export interface HandshakeWire {
  write(bytes: Uint8Array): void;
  send(method: Request): void;
  expect<Name extends ReplyName>(name: Name): Promise<MethodNamed<Name>>;
}

/** `amqp://user:password@host:port/virtual-host`. Throws a TypeError when it is none. */
export function parseTarget(url: string): Target {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  if (protocol !== 'amqp:') throw new TypeError(`${protocol}// is not amqp://`);
  return {
    // IPv6 addresses stand in brackets in a URL only.
    host: hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: Number(port || DEFAULT_PORT),
    username: decodeURIComponent(username) || 'guest',
    password: decodeURIComponent(password) || 'guest',
    virtualHost: decodeURIComponent(pathname.slice(1)) || '/',
  };
}

/** What a report may show of a target: no password. */
export function publicUrl({ host, port, virtualHost }: Target): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `amqp://${name}:${port}${virtualHost === '/' ? '' : `/${encodeURIComponent(virtualHost)}`}`;
}

export async function logIn(target: Target, largestFrame: number, wire: HandshakeWire): Promise<Tuned> {
  wire.write(PROTOCOL_HEADER);
  const { serverProperties } = await wire.expect('connection.start');
  const capabilities = {
    authentication_failure_close: true,
    consumer_cancel_notify: true,
    'connection.blocked': true,
    'basic.nack': true,
    publisher_confirms: true,
  };
  wire.send({
    name: 'connection.start-ok',
    clientProperties: table({ product: 'jackalope bench', capabilities }),
    mechanism: 'PLAIN',
    response: Buffer.from(`\0${target.username}\0${target.password}`),
    locale: 'en_US',
  });
  const offered = await wire.expect('connection.tune');
  // 0 is no limit.
  const frameMax = Math.min(offered.frameMax || largestFrame, largestFrame);
  const channelMax = offered.channelMax || 65_535;
  // A heartbeat of 0: a stalled run ends by its own limits, and a broker must not cut off a generator that is busy.
  wire.send({ name: 'connection.tune-ok', channelMax, frameMax, heartbeat: 0 });
  wire.send({ name: 'connection.open', virtualHost: target.virtualHost });
  await wire.expect('connection.open-ok');
  return { identity: identityOf(serverProperties), frameMax, channelMax };
}

function identityOf(serverProperties: FieldTable): BrokerIdentity {
  const text = (key: string): string | undefined => {
    const value = serverProperties.find(([name]) => name === key)?.[1];
    return value?.type === 'S' ? String(value.value) : undefined;
  };
  // Brokers call themselves RabbitMQ for the sake of clients; what they run on tells them apart.
  const words = [text('version'), text('platform') && `(${text('platform')})`];
  return { product: text('product') ?? 'unknown', version: words.filter(Boolean).join(' ') };
}
