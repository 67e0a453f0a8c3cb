/** The facts of what is declared and deleted, under RabbitMQ's names. */
import { type Binding, destinationName } from './binding.js';
import type { Consumer } from './consumer.js';
import { flag, table, text } from './events.js';
import type { Exchange } from './exchange/exchange.js';
import type { FieldTable } from './field-value.js';
import type { Queue } from './queue/queue.js';

export function exchangeFacts({ name, type, options }: Exchange, virtualHost: string): FieldTable {
  return [
    ['name', text(name)],
    ['vhost', text(virtualHost)],
    ['type', text(type.name)],
    ['durable', flag(options.durable)],
    ['auto_delete', flag(options.autoDelete)],
    ['internal', flag(options.internal)],
    ['arguments', table(options.arguments)],
  ];
}

export function queueFacts({ name, options }: Queue, virtualHost: string): FieldTable {
  return [
    ['name', text(name)],
    ['vhost', text(virtualHost)],
    ['durable', flag(options.durable)],
    ['auto_delete', flag(options.autoDelete)],
    ['exclusive', flag(options.owner !== undefined)],
    ['arguments', table(options.arguments)],
  ];
}

/** Of what has gone. */
export function nameFacts(name: string, virtualHost: string): FieldTable {
  return [
    ['name', text(name)],
    ['vhost', text(virtualHost)],
  ];
}

export function bindingFacts(
  { source, destination, routingKey, ...binding }: Binding,
  virtualHost: string,
): FieldTable {
  return [
    ['source_name', text(source.name)],
    ['source_kind', text('exchange')],
    ['destination_name', text(destinationName(destination))],
    ['destination_kind', text(destination.kind)],
    ['routing_key', text(routingKey)],
    ['arguments', table(binding.arguments)],
    ['vhost', text(virtualHost)],
  ];
}

export function consumerFacts(
  { tag, noAck, exclusive, origin }: Consumer,
  queue: Queue,
  virtualHost: string,
): FieldTable {
  return [
    ['consumer_tag', text(tag)],
    ['exclusive', flag(exclusive)],
    ['ack_required', flag(!noAck)],
    ['channel', text(`${origin?.connectionName ?? ''} (${origin?.channel ?? 0})`)],
    ['queue', text(queue.name)],
    ['vhost', text(virtualHost)],
  ];
}
