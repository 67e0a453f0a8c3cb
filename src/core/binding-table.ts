/**
 * Ties bindings to both their ends and takes them off again; tells the store and whoever listens. What a client may bind,
 * and what goes with the last binding, is the virtual host's to say.
 */
import type { Binding, BindingDestination } from './binding.js';
import { bindingDefinition, type DefinitionChanges, isDurableBinding } from './definitions.js';
import type { Events } from './events.js';
import type { Exchange } from './exchange/exchange.js';
import type { FieldTable } from './field-value.js';
import { bindingFacts } from './topology-events.js';

export interface BindingHost {
  readonly name: string;
  readonly events: Events;
  /** Ends every cached route. */
  touch(): void;
}

export class BindingTable {
  readonly #host: BindingHost;
  readonly #changes: DefinitionChanges;

  constructor(host: BindingHost, changes: DefinitionChanges) {
    this.#host = host;
    this.#changes = changes;
  }

  /** One that a client makes. */
  add(source: Exchange, destination: BindingDestination, routingKey: string, args: FieldTable): Binding {
    const binding = this.attach(source, destination, routingKey, args);
    if (isDurableBinding(binding)) this.#changes.put(bindingDefinition(this.#host.name, binding));
    this.#host.touch();
    this.#host.events.emit('binding.created', () => bindingFacts(binding, this.#host.name));
    return binding;
  }

  /** One that comes back after a restart, or that is there by itself: nobody hears of it. */
  attach(source: Exchange, destination: BindingDestination, routingKey: string, args: FieldTable): Binding {
    const binding: Binding = { source, destination, routingKey, arguments: args };
    source.add(binding);
    incomingOf(destination).add(binding);
    return binding;
  }

  remove(binding: Binding): void {
    binding.source.remove(binding);
    incomingOf(binding.destination).delete(binding);
    this.#host.touch();
    // The default exchange's bindings come and go with their queues.
    if (binding.source.name === '') return;
    if (isDurableBinding(binding)) this.#changes.remove(bindingDefinition(this.#host.name, binding));
    this.#host.events.emit('binding.deleted', () => bindingFacts(binding, this.#host.name));
  }
}

function incomingOf(destination: BindingDestination): Set<Binding> {
  return destination.kind === 'queue' ? destination.queue.bindings : destination.exchange.incoming;
}
