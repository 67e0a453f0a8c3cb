/**
 * An AMQP server without sockets, whose virtual host the test can break: what no client can provoke is provoked here.
 */
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { decodeProperties, encodeProperties } from '../../protocol/amqp/properties.js';
import { copyWithLong, textHeader } from '../../protocol/amqp/raw-headers.js';
import { Authenticator } from '../../src/auth/authenticator.js';
import type { ClientConnection } from '../../src/auth/open-connections.js';
import { FULL_PERMISSIONS } from '../../src/auth/permissions.js';
import { UserStore } from '../../src/auth/user-store.js';
import { VirtualHostAccess } from '../../src/auth/virtual-host-access.js';
import { Deadlines } from '../../src/core/deadlines.js';
import { Events } from '../../src/core/events.js';
import { Pager } from '../../src/core/log/pager.js';
import { SegmentPool } from '../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../src/core/log/shared-bodies.js';
import { Turn } from '../../src/core/turn.js';
import { VirtualHost } from '../../src/core/virtual-host.js';
import { createLogger } from '../../src/logger.js';
import { HeartbeatMonitor } from '../../src/net/heartbeat.js';
import { AmqpConnection } from '../../src/session/amqp/connection.js';
import type { AmqpEnvironment } from '../../src/session/amqp/environment.js';
import { serverProperties } from '../../src/session/amqp/handshake.js';
import { Connections } from '../../src/session/shared/connections.js';
import { ConsumerTimeouts } from '../../src/session/shared/consumer-timeouts.js';
import { Durability } from '../../src/session/shared/durability.js';
import { Alarms } from '../../src/session/shared/flow-control.js';
import { PublishThrottle } from '../../src/session/shared/publish-throttle.js';
import { MemoryDefinitionStore, MemoryMessageStore } from '../../src/store/memory-store.js';
import type { LogLine } from '../support/child-broker.js';
import { FakeClock } from '../support/fake-clock.js';
import { MemoryTransport } from '../support/memory-transport.js';
import { FrameCutter, methodFrame, readMethod, type Sendable } from '../support/wire-frames.js';
import { type LoginOptions, login } from './raw-peer.js';

type OpenAccess = (owner: ClientConnection) => VirtualHostAccess;

export class MemoryServer {
  readonly clock = new FakeClock();
  readonly alarms = new Alarms();
  readonly lines: LogLine[] = [];
  readonly server: Connections;
  readonly #users = new UserStore(new MemoryDefinitionStore());
  readonly #host: VirtualHost;

  /** `openAccess` makes what a connection sees of its virtual host; a test puts a broken one there. */
  constructor(openAccess: (sound: VirtualHostAccess, connection: number) => VirtualHostAccess = (sound) => sound) {
    const { clock, alarms, lines } = this;
    const output = { write: (line: string) => lines.push(JSON.parse(line) as LogLine) };
    const log = createLogger({ logLevel: 'info', logFormat: 'json' }, output);
    const turn = new Turn(clock, (error) => log.error({ err: error }, 'unexpected failure at the end of a turn'));
    const store = new MemoryMessageStore();
    const [segments, bodies] = [new SegmentPool(), new SharedBodies()];
    this.#users.add('guest', 'guest', []);
    this.#users.setPermissions('guest', '/', FULL_PERMISSIONS);
    let lastLogId = 0;
    this.#host = new VirtualHost('/', {
      turn,
      logs: { clock, segments, bodies, store, pager: new Pager({ turn, segments, bodies, store }) },
      definitions: new MemoryDefinitionStore(),
      deadlines: new Deadlines(clock, (error) => log.error({ err: error }, 'unexpected failure of what was due')),
      properties: { decode: decodeProperties, encode: encodeProperties, textHeader, copyWithLong },
      nodeName: 'jackalope@test',
      events: new Events(),
      random: Math.random,
      nextLogIds: (count) => {
        lastLogId += count;
        return lastLogId - count + 1;
      },
    });
    const throttle = new PublishThrottle(turn);
    let opened = 0;
    const open: OpenAccess = (owner) => openAccess(this.#access(owner), ++opened);
    const environment: AmqpEnvironment = {
      clock,
      turn,
      log,
      limits: {
        channelMax: 2047,
        frameMax: 131_072,
        heartbeatSeconds: 60,
        maxMessageSizeBytes: 16_777_216,
        handshakeTimeoutMs: 10_000,
      },
      authenticator: new Authenticator(this.#users, [], { name: 'guest', password: Buffer.from('guest') }),
      alarms,
      events: new Events(),
      heartbeats: new HeartbeatMonitor(clock),
      consumerTimeouts: new ConsumerTimeouts(clock, 30 * 60 * 1000),
      throttle,
      durability: new Durability(store, turn, throttle),
      serverProperties: serverProperties({ platform: 'tests', version: '4.1.0', clusterName: 'test' }),
      openVirtualHost: (_name, _user, owner) => open(owner),
    };
    this.server = new Connections(clock, (transport, onGone) => new AmqpConnection(transport, environment, onGone));
  }

  /** A peer with an open connection and channel 1. */
  connect(options: LoginOptions = {}): MemoryPeer {
    const peer = new MemoryPeer(this.clock, this.server);
    peer.sendBytes(login(options));
    peer.send(1, { name: 'channel.open' });
    peer.received();
    return peer;
  }

  errors(): readonly LogLine[] {
    return this.lines.filter(({ level }) => level === 'error');
  }

  #access(owner: ClientConnection): VirtualHostAccess {
    const user = this.#users.find('guest');
    if (user === undefined) throw new Error('no guest');
    return new VirtualHostAccess(user, this.#host, this.#users, owner);
  }
}

export class MemoryPeer {
  readonly transport: MemoryTransport;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, server: Connections) {
    this.#clock = clock;
    this.transport = new MemoryTransport(clock);
    this.transport.attach(server.accept(this.transport));
  }

  sendBytes(bytes: Uint8Array): void {
    this.transport.send(bytes);
    this.#clock.settle();
  }

  send(channel: number, method: Sendable): void {
    this.sendBytes(methodFrame(channel, method));
  }

  /** How often a method came since the last look; for many of them. */
  countReceived(method: number): number {
    this.#clock.settle();
    return this.countInOutput(method);
  }

  /** The same, of what was written until now: no turn ends for it. */
  countInOutput(method: number): number {
    const bytes = this.transport.take();
    let count = 0;
    for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at + 3) + 8) {
      if (bytes[at] === FrameType.method && bytes.readUInt32BE(at + 7) === method) count++;
    }
    return count;
  }

  /** The methods that came since the last look: `1 queue.declare-ok`. */
  received(): string[] {
    this.#clock.settle();
    const names: string[] = [];
    const cutter = new FrameCutter(
      ({ type, channel, payload }) => {
        if (type === FrameType.heartbeat) names.push('heartbeat');
        else if (type === FrameType.method) names.push(describe(channel, payload));
      },
      () => names.push('protocol header'),
    );
    cutter.push(this.transport.take());
    return names;
  }
}

function describe(channel: number, payload: Buffer): string {
  const method = readMethod(payload);
  const code = 'replyCode' in method ? ` ${method.replyCode}` : '';
  return `${channel} ${method.name}${code}`;
}
