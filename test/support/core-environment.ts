/** A virtual host and what it needs, with a clock that the test drives and no disk. */

import { decodeProperties, encodeProperties } from '../../protocol/amqp/properties.js';
import { copyWithLong, textHeader } from '../../protocol/amqp/raw-headers.js';
import { Deadlines } from '../../src/core/deadlines.js';
import { logIdsOf } from '../../src/core/definitions.js';
import { Events } from '../../src/core/events.js';
import type { LogEnvironment } from '../../src/core/log/message-log.js';
import { Pager } from '../../src/core/log/pager.js';
import { SegmentPool } from '../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../src/core/log/shared-bodies.js';
import type { Definition, DefinitionStore } from '../../src/core/ports/definition-store.js';
import type { MessageStore } from '../../src/core/ports/message-store.js';
import type { ScratchStore } from '../../src/core/ports/scratch-store.js';
import { Turn } from '../../src/core/turn.js';
import { VirtualHost } from '../../src/core/virtual-host.js';
import { MemoryMessageStore } from '../../src/store/memory-store.js';
import { FakeClock } from './fake-clock.js';

/** Keeps the definitions a restart would find. */
export class RecordingDefinitions implements DefinitionStore {
  readonly #kept = new Map<string, Definition>();
  /** Of every change from now on, as a store's open batch. */
  openBatch = 0;
  lastCommit = 0;

  put(definition: Definition): number {
    this.#kept.set(identityOf(definition), definition);
    return this.#changed();
  }

  remove(definition: Definition): number {
    if (!this.#kept.delete(identityOf(definition))) throw new Error(`${identityOf(definition)} is not there`);
    return this.#changed();
  }

  load(): Iterable<Definition> {
    return this.#kept.values();
  }

  /** `kind:name`, for a binding `binding:source->destination:key`, in order of definition. */
  get names(): string[] {
    return [...this.#kept.values()].map((definition) => {
      if (definition.kind === 'binding') {
        return `binding:${definition.source}->${definition.destination}:${definition.routingKey}`;
      }
      if (!('name' in definition)) return `${definition.kind}:${definition.user}@${definition.virtualHost}`;
      return `${definition.kind}:${definition.name}`;
    });
  }

  #changed(): number {
    this.lastCommit = this.openBatch;
    return this.lastCommit;
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
  scratch?: ScratchStore,
  clock = new FakeClock(),
  virtualHost = '/',
): CoreEnvironment {
  const failures: unknown[] = [];
  const turn = new Turn(clock, (error) => failures.push(error));
  const [segments, bodies] = [new SegmentPool(), new SharedBodies({ store, scratch })];
  for (const body of store.recoverBodies()) bodies.restore(body);
  const pager = new Pager({ turn, segments, bodies, store, scratch });
  const logs = { clock, segments, bodies, store, pager };
  const kept = [...definitions.load()];
  let lastLogId = Math.max(0, ...kept.flatMap(logIdsOf));
  const deadlines = new Deadlines(clock, (error) => failures.push(error));
  const properties = { decode: decodeProperties, encode: encodeProperties, textHeader, copyWithLong };
  const host = new VirtualHost(virtualHost, {
    turn,
    logs,
    definitions,
    deadlines,
    properties,
    nodeName: 'jackalope@test',
    events: new Events(),
    random: Math.random,
    nextLogIds: (count) => {
      lastLogId += count;
      return lastLogId - count + 1;
    },
  });
  host.restore(kept);
  return { clock, turn, logs, definitions, host, failures };
}

function identityOf(definition: Definition): string {
  if (definition.kind === 'permission' || definition.kind === 'topic-permission') {
    const exchange = 'exchange' in definition ? definition.exchange : '';
    return JSON.stringify([definition.kind, definition.user, definition.virtualHost, exchange]);
  }
  if (definition.kind !== 'binding') {
    const host = 'virtualHost' in definition ? definition.virtualHost : '';
    const component = 'component' in definition ? definition.component : '';
    return `${definition.kind} ${host} ${component} ${definition.name}`;
  }
  const { arguments: args, ...identity } = definition;
  return JSON.stringify([identity, args], (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
