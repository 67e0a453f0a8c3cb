/**
 * What of a virtual host is kept across restarts, in the form the definition store takes.
 */
import type { Binding } from './binding.js';
import type { Exchange } from './exchange/exchange.js';
import type { Definition } from './ports/definition-store.js';
import type { Queue } from './queue/queue.js';

export function exchangeDefinition(virtualHost: string, { name, type, options }: Exchange): Definition {
  const { autoDelete, internal, arguments: args } = options;
  return { kind: 'exchange', virtualHost, name, type: type.name, autoDelete, internal, arguments: args };
}

export function queueDefinition(virtualHost: string, { id, name, type, options }: Queue): Definition {
  const { autoDelete, arguments: args } = options;
  return { kind: 'queue', virtualHost, name, id, type, autoDelete, arguments: args };
}

export function bindingDefinition(virtualHost: string, binding: Binding): Definition {
  const { source, destination, routingKey, arguments: args } = binding;
  return {
    kind: 'binding',
    virtualHost,
    source: source.name,
    destinationKind: destination.kind,
    destination: destination.kind === 'queue' ? destination.queue.name : destination.exchange.name,
    routingKey,
    arguments: args,
  };
}

/** A binding outlives a restart when both its ends do. */
export function isDurableBinding({ source, destination }: Binding): boolean {
  if (!source.options.durable) return false;
  if (destination.kind === 'exchange') return destination.exchange.options.durable;
  return destination.queue.options.durable && destination.queue.options.owner === undefined;
}
