/**
 * What of a virtual host is kept across restarts, in the form the definition store takes. The host itself is put there by
 * whoever creates it, its policies and parameters by what holds them.
 */
import type { Binding } from './binding.js';
import type { Exchange } from './exchange/exchange.js';
import type { Definition, DefinitionStore } from './ports/definition-store.js';
import type { CommitId } from './ports/message-store.js';
import type { Queue } from './queue/queue.js';
import { queueType } from './queue/registry.js';

export function exchangeDefinition(virtualHost: string, { name, type, options, logId }: Exchange): Definition {
  const { autoDelete, internal, arguments: args } = options;
  const definition = { virtualHost, name, type: type.name, autoDelete, internal, arguments: args };
  return logId === undefined ? { kind: 'exchange', ...definition } : { kind: 'exchange', ...definition, logId };
}

export function queueDefinition(virtualHost: string, { id, name, type, options }: Queue): Definition {
  const { autoDelete, arguments: args } = options;
  const { logCount } = queueType(type);
  return { kind: 'queue', virtualHost, name, id, logCount: logCount(args), type, autoDelete, arguments: args };
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

/** The logs in the message store that belong to what is defined. */
export function logIdsOf(definition: Definition): readonly number[] {
  if (definition.kind === 'queue') {
    return Array.from({ length: definition.logCount }, (_, index) => definition.id + index);
  }
  return definition.kind === 'exchange' && definition.logId !== undefined ? [definition.logId] : [];
}

/** A binding outlives a restart when both its ends do. */
export function isDurableBinding({ source, destination }: Binding): boolean {
  if (!source.options.durable) return false;
  if (destination.kind === 'exchange') return destination.exchange.options.durable;
  return destination.queue.options.durable && destination.queue.options.owner === undefined;
}

/** The way of one virtual host's changes into the store; remembers what the reply to them has to wait for. */
export class DefinitionChanges {
  readonly #store: DefinitionStore;
  #commit: CommitId = 0;

  constructor(store: DefinitionStore) {
    this.#store = store;
  }

  put(definition: Definition): void {
    this.#note(this.#store.put(definition));
  }

  remove(definition: Definition): void {
    this.#note(this.#store.remove(definition));
  }

  /** What was asked for is so already: whoever changed it may still wait for the disk, and so must who asks again. */
  noteLatest(): void {
    this.#note(this.#store.lastCommit);
  }

  /** The highest commit noted since the last call; 0 when there was none. */
  takeCommit(): CommitId {
    const commit = this.#commit;
    this.#commit = 0;
    return commit;
  }

  #note(commit: CommitId): void {
    if (commit > this.#commit) this.#commit = commit;
  }
}
