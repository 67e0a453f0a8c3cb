/**
 * Class exchange.
 */
import {
  decodeExchangeBind,
  decodeExchangeDeclare,
  decodeExchangeDelete,
  decodeExchangeUnbind,
  MethodId,
  writeExchangeBindOk,
  writeExchangeDeclareOk,
  writeExchangeDeleteOk,
  writeExchangeUnbindOk,
} from '../../../../protocol/amqp/methods.gen.js';
import type { ByteReader } from '../../../../protocol/byte-reader.js';
import type { Channel } from '../channel.js';
import type { Handler } from './dispatch.js';

export const exchangeHandlers: readonly (readonly [number, Handler])[] = [
  [MethodId.ExchangeDeclare, exchangeDeclare],
  [MethodId.ExchangeDelete, exchangeDelete],
  [MethodId.ExchangeBind, exchangeBind],
  [MethodId.ExchangeUnbind, exchangeUnbind],
];

function exchangeDeclare(channel: Channel, reader: ByteReader): void {
  const method = decodeExchangeDeclare(reader);
  if (method.passive) channel.access.assertExchange(method.exchange);
  else {
    const { durable, autoDelete, internal, arguments: args } = method;
    channel.access.declareExchange(method.exchange, method.type, { durable, autoDelete, internal, arguments: args });
  }
  if (method.noWait) return;
  writeExchangeDeclareOk(channel.beginReply(), channel.number);
  channel.replies.end();
}

function exchangeDelete(channel: Channel, reader: ByteReader): void {
  const { exchange, ifUnused, noWait } = decodeExchangeDelete(reader);
  channel.access.deleteExchange(exchange, ifUnused);
  if (noWait) return;
  writeExchangeDeleteOk(channel.beginReply(), channel.number);
  channel.replies.end();
}

function exchangeBind(channel: Channel, reader: ByteReader): void {
  const { destination, source, routingKey, noWait, arguments: args } = decodeExchangeBind(reader);
  channel.access.bind(source, { kind: 'exchange', name: destination }, routingKey, args);
  if (noWait) return;
  writeExchangeBindOk(channel.beginReply(), channel.number);
  channel.replies.end();
}

function exchangeUnbind(channel: Channel, reader: ByteReader): void {
  const { destination, source, routingKey, noWait, arguments: args } = decodeExchangeUnbind(reader);
  channel.access.unbind(source, { kind: 'exchange', name: destination }, routingKey, args);
  if (noWait) return;
  writeExchangeUnbindOk(channel.beginReply(), channel.number);
  channel.replies.end();
}
