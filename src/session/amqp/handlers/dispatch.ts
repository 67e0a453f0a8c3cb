/**
 * From a method's id to its handler. Methods that are valid but not for a server have none and are refused.
 */
import { undecodable } from '../../../../protocol/amqp/errors.js';
import { decodeMethod, MethodId } from '../../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../../protocol/byte-reader.js';
import { MalformedError } from '../../../../protocol/errors.js';
import { readU32 } from '../../../../protocol/read-u32.js';
import { BrokerError } from '../../../errors.js';
import type { Channel } from '../channel.js';
import { accessRequest } from './access.js';
import { basicHandlers } from './basic.js';
import { channelClose, channelCloseOk, channelFlow, channelFlowOk, channelOpen } from './channel.js';
import { confirmSelect } from './confirm.js';
import { exchangeHandlers } from './exchange.js';
import { queueHandlers } from './queue.js';
import { txHandlers } from './tx.js';

export type Handler = (channel: Channel, arguments_: ByteReader) => void;

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [MethodId.ChannelOpen, channelOpen],
  [MethodId.ChannelFlow, channelFlow],
  [MethodId.ChannelFlowOk, channelFlowOk],
  [MethodId.ChannelClose, channelClose],
  [MethodId.ChannelCloseOk, channelCloseOk],
  [MethodId.AccessRequest, accessRequest],
  [MethodId.ConfirmSelect, confirmSelect],
  ...exchangeHandlers,
  ...queueHandlers,
  ...basicHandlers,
  ...txHandlers,
]);

const BASIC_ACK_BYTES = 9;

/** `bytes[start, end)`: the arguments behind the ids. Throws BrokerError, or FrameError when they do not decode. */
export function dispatchMethod(channel: Channel, id: number, bytes: Uint8Array, start: number, end: number): void {
  if (id === MethodId.BasicAck && end - start === BASIC_ACK_BYTES && channel.state === 'open') {
    channel.settleDeliveries(readTag(bytes, start), ((bytes[start + 8] as number) & 1) !== 0, 'ack');
    return;
  }
  try {
    if (channel.state === 'closing' && !isHeardWhileClosing(id)) {
      // Ignored, but still checked: the frames of a closing channel must be well-formed.
      decodeMethod(id, new ByteReader(bytes, start, end));
      return;
    }
    const handler = HANDLERS.get(id);
    if (handler === undefined) throw new BrokerError('command-invalid', 'unimplemented method');
    const reader = new ByteReader(bytes, start, end);
    handler(channel, reader);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw undecodable(error, id, bytes, start, end);
  }
}

function isHeardWhileClosing(id: number): boolean {
  return id === MethodId.ChannelClose || id === MethodId.ChannelCloseOk || id === MethodId.ChannelOpen;
}

function readTag(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 4);
}
