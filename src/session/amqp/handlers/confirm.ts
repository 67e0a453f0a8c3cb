/**
 * Class confirm: publisher confirms, RabbitMQ's extension.
 */
import { decodeConfirmSelect, writeConfirmSelectOk } from '../../../../protocol/amqp/methods.gen.js';
import type { ByteReader } from '../../../../protocol/byte-reader.js';
import { BrokerError } from '../../../errors.js';
import type { Channel } from '../channel.js';

export function confirmSelect(channel: Channel, reader: ByteReader): void {
  const { noWait } = decodeConfirmSelect(reader);
  if (channel.transaction !== undefined) {
    throw new BrokerError('precondition-failed', 'cannot switch from tx to confirm mode');
  }
  channel.selectConfirms();
  if (noWait) return;
  writeConfirmSelectOk(channel.output.writer, channel.number);
  channel.output.touch();
}
