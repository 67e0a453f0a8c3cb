/** A virtual host and what it needs, with a clock that the test drives and no disk. */

import type { LogEnvironment } from '../../src/core/log/message-log.js';
import { SegmentPool } from '../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../src/core/log/shared-bodies.js';
import type { Definition, DefinitionStore } from '../../src/core/ports/definition-store.js';
import type { MessageStore } from '../../src/core/ports/message-store.js';
import { Turn } from '../../src/core/turn.js';
import { VirtualHost } from '../../src/core/virtual-host.js';
import { MemoryMessageStore } from '../../src/store/memory-store.js';
import { FakeClock } from './fake-clock.js';

/** Keeps the definitions a restart would find. */
export class RecordingDefinitions implements DefinitionStore {
  readonly #kept = new Map<string, Definition>();

  put(definition: Definition): number {
    this.#kept.set(identityOf(definition), definition);
    return 0;
  }

  remove(definition: Definition): number {
    if (!this.#kept.delete(identityOf(definition))) throw new Error(`${identityOf(definition)} is not there`);
    return 0;
  }

  load(): Iterable<Definition> {
    return this.#kept.values();
  }

  /** `exchange:name`, `queue:name` and `binding:source->destination:key`, in order of definition. */
  get names(): string[] {
    return [...this.#kept.values()].map((definition) =>
      definition.kind === 'binding'
        ? `binding:${definition.source}->${definition.destination}:${definition.routingKey}`
        : `${definition.kind}:${definition.name}`,
    );
  }
}

export interface CoreEnvironment {
  readonly clock: FakeClock;
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly definitions: RecordingDefinitions;
  readonly host: VirtualHost;
  /** Thrown by tasks at the end of a turn. */
  readonly failures: unknown[];
}

/** With the definitions of a host before it, this one takes its place as after a restart. */
export function coreEnvironment(
  store: MessageStore = new MemoryMessageStore(),
  definitions = new RecordingDefinitions(),
): CoreEnvironment {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const turn = new Turn(clock, (error) => failures.push(error));
  const logs = { clock, segments: new SegmentPool(), bodies: new SharedBodies(), store };
  const kept = [...definitions.load()];
  let lastQueueId = Math.max(0, ...kept.map((definition) => (definition.kind === 'queue' ? definition.id : 0)));
  const host = new VirtualHost('/', { turn, logs, definitions, nextQueueId: () => ++lastQueueId });
  host.restore(kept);
  return { clock, turn, logs, definitions, host, failures };
}

function identityOf(definition: Definition): string {
  const { arguments: args, ...identity } = definition;
  if (definition.kind !== 'binding') return `${definition.kind} ${definition.virtualHost} ${definition.name}`;
  return JSON.stringify([identity, args], (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
