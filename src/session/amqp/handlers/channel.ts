/**
 * Class channel. Opening is the connection's business, so an open that comes here is a second one.
 */
import { decodeChannelFlow, writeChannelFlowOk } from '../../../../protocol/amqp/methods.gen.js';
import type { ByteReader } from '../../../../protocol/byte-reader.js';
import { BrokerError } from '../../../errors.js';
import type { Channel } from '../channel.js';

export function channelOpen(): void {
  throw new BrokerError('channel-error', "second 'channel.open' seen");
}

export function channelFlow(channel: Channel, reader: ByteReader): void {
  const { active } = decodeChannelFlow(reader);
  if (!active) throw new BrokerError('not-implemented', 'active=false');
  writeChannelFlowOk(channel.output.writer, channel.number, true);
  channel.output.touch();
}

/** Answers a flow that we never send; harmless. */
export function channelFlowOk(): void {}

export function channelClose(channel: Channel): void {
  channel.closeByClient();
}

export function channelCloseOk(channel: Channel): void {
  channel.closeConfirmed();
}
