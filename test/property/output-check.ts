/** Reads what a broker sends and throws when a client could not make sense of it. */
import assert from 'node:assert/strict';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import type { Method } from '../../protocol/amqp/methods.gen.js';
import { type Frame, FrameCutter, readContentHeader, readMethod } from '../support/wire-frames.js';

const WITH_CONTENT: readonly Method['name'][] = ['basic.deliver', 'basic.get-ok', 'basic.return'];
const UNDECODABLE_CONTENT = 'INTERNAL_ERROR - cannot decode content';

interface ChannelState {
  state: 'open' | 'closing';
  /** Bytes of the present content that are to come; -1: its header. */
  missing: number;
}

export class OutputCheck {
  /** Of the broker's connection.close. */
  closeCode: number | undefined;
  channelCloses = 0;
  #closedByPeer = false;
  #protocolHeader = false;
  readonly #onChannelClose: (channel: number) => void;
  readonly #channels = new Map<number, ChannelState>();
  readonly #cutter = new FrameCutter(
    (frame) => this.#onFrame(frame),
    () => {
      this.#protocolHeader = true;
    },
  );

  constructor(onChannelClose: (channel: number) => void = () => {}) {
    this.#onChannelClose = onChannelClose;
  }

  /** The broker has said that the connection ends. */
  get isClosing(): boolean {
    return this.closeCode !== undefined || this.#closedByPeer || this.#protocolHeader;
  }

  push(bytes: Buffer): void {
    this.#cutter.push(bytes);
  }

  #onFrame({ type, channel, payload }: Frame): void {
    if (type === FrameType.heartbeat) {
      assert.deepEqual([channel, payload.length], [0, 0]);
      return;
    }
    if (type === FrameType.method) this.#onMethod(channel, readMethod(payload));
    else this.#onContent(channel, type, payload);
  }

  #onMethod(channel: number, method: Method): void {
    if (this.#channels.has(channel)) assert.equal(this.#channels.get(channel)?.missing, 0, 'content is complete');
    if (channel === 0) this.#onConnectionMethod(method);
    else this.#onChannelMethod(channel, method);
  }

  #onConnectionMethod(method: Method): void {
    if (method.name === 'connection.close') {
      assert.equal(this.closeCode, undefined, 'a connection is closed once');
      this.closeCode = method.replyCode;
      assert.ok(method.replyCode !== 541 || method.replyText.startsWith(UNDECODABLE_CONTENT), method.replyText);
    } else if (method.name === 'connection.close-ok') this.#closedByPeer = true;
    else assert.equal(this.closeCode, undefined, `${method.name} after connection.close`);
  }

  #onChannelMethod(number: number, method: Method): void {
    assert.ok(!this.isClosing, `${method.name} on channel ${number} after the connection was closed`);
    if (method.name === 'channel.open-ok') {
      // 'closing': the peer's close-ok came, and then its open.
      assert.notEqual(this.#channels.get(number)?.state, 'open', `channel ${number} is open already`);
      this.#channels.set(number, { state: 'open', missing: 0 });
      return;
    }
    const channel = this.#channels.get(number);
    assert.ok(channel !== undefined, `${method.name} on channel ${number}, which is not open`);
    if (method.name === 'channel.close-ok') {
      // While our own close is under way, this answers the peer's, and the channel stays until close-ok comes.
      if (channel.state === 'open') this.#channels.delete(number);
      return;
    }
    assert.equal(channel.state, 'open', `${method.name} on channel ${number} after channel.close`);
    if (method.name === 'channel.close') {
      assert.notEqual(method.replyCode, 541);
      channel.state = 'closing';
      this.channelCloses++;
      this.#onChannelClose(number);
    } else if (WITH_CONTENT.includes(method.name)) channel.missing = -1;
  }

  #onContent(number: number, type: number, payload: Buffer): void {
    const channel = this.#channels.get(number);
    assert.equal(channel?.state, 'open', `content on channel ${number}, which is not open`);
    if (type === FrameType.header) {
      assert.equal(channel.missing, -1);
      channel.missing = readContentHeader(payload).bodySize;
      return;
    }
    assert.equal(type, FrameType.body);
    assert.ok(payload.length > 0 && payload.length <= channel.missing);
    channel.missing -= payload.length;
  }
}
