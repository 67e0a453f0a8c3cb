import { describe, expect, it } from 'vitest';
import type { Binding } from '../../../src/core/binding.js';
import { Exchange } from '../../../src/core/exchange/exchange.js';
import { exchangeType } from '../../../src/core/exchange/registry.js';
import { EMPTY_TABLE, type FieldTable } from '../../../src/core/field-value.js';
import type { Queue } from '../../../src/core/queue/queue.js';
import { RouteWalk } from '../../../src/core/router.js';
import { coreEnvironment } from '../../support/core-environment.js';
import { messageOf } from './exchange/routing.js';

/** Exchanges and queues by name, bound as the test writes it: `source -key-> destination`. */
class Topology {
  readonly walk = new RouteWalk((name) => this.#exchanges.get(name));
  readonly #host = coreEnvironment().host;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, Queue>();

  exchange(name: string, typeName: string, alternate?: string): this {
    const type = exchangeType(typeName);
    if (type === undefined) throw new Error(`no type ${typeName}`);
    const args: FieldTable =
      alternate === undefined ? EMPTY_TABLE : [['alternate-exchange', { type: 'S', value: alternate }]];
    this.#exchanges.set(
      name,
      new Exchange(name, type, { durable: false, autoDelete: false, internal: false, arguments: args }, this.#host),
    );
    return this;
  }

  bind(source: string, routingKey: string, destination: string, args: FieldTable = EMPTY_TABLE): this {
    const exchange = this.#exchanges.get(destination);
    const binding: Binding = {
      source: this.#exchange(source),
      destination:
        exchange === undefined ? { kind: 'queue', queue: this.#queue(destination) } : { kind: 'exchange', exchange },
      routingKey,
      arguments: args,
    };
    this.#exchange(source).add(binding);
    return this;
  }

  /** Names of the queues that a message reaches, sorted. */
  route(exchange: string, routingKey: string, furtherKeys: readonly string[] = [], headers = EMPTY_TABLE): string[] {
    this.walk.run(this.#exchange(exchange), messageOf(routingKey, { headers }), furtherKeys);
    const names = this.walk.targets.map((target) => (target as Queue).name);
    expect(new Set(names).size).toBe(names.length);
    return names.sort();
  }

  /** The bindings that matched, as the test wrote them. */
  explain(exchange: string, routingKey: string, furtherKeys: readonly string[] = []): string[] {
    this.walk.trace = new Set();
    this.route(exchange, routingKey, furtherKeys);
    const seen = [...this.walk.trace].map(({ source, routingKey: key, destination }) => {
      const name = destination.kind === 'queue' ? destination.queue.name : destination.exchange.name;
      return `${source.name} -${key}-> ${name}`;
    });
    this.walk.trace = undefined;
    return seen;
  }

  #exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) throw new Error(`no exchange ${name}`);
    return exchange;
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { name, routeMark: 0 } as Queue;
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

describe('routing', () => {
  it('reaches each queue once, however many bindings lead there', () => {
    const topology = new Topology().exchange('t', 'topic').exchange('f', 'fanout');
    topology.bind('t', '#', 'q').bind('t', 'a.*', 'q').bind('t', 'a.b', 'q').bind('t', 'a.b', 'r');
    topology.bind('t', 'a.#', 'f').bind('f', '', 'q').bind('f', 'other', 'r').bind('f', '', 's');
    expect(topology.route('t', 'a.b')).toEqual(['q', 'r', 's']);
    expect(topology.route('t', 'x')).toEqual(['q']);
    // And again: the marks of the walk before mean nothing.
    expect(topology.route('t', 'a.b')).toEqual(['q', 'r', 's']);
  });

  it('finds nothing where nothing is bound', () => {
    const topology = new Topology().exchange('d', 'direct').bind('d', 'k', 'q');
    expect(topology.route('d', 'other')).toEqual([]);
    expect(topology.route('d', 'k')).toEqual(['q']);
    expect(topology.route('d', '')).toEqual([]);
  });

  it('passes through exchanges that are bound to exchanges, and ends in their cycles', () => {
    const topology = new Topology().exchange('a', 'topic').exchange('b', 'direct').exchange('c', 'fanout');
    topology.bind('a', '#', 'b').bind('b', 'k', 'c').bind('c', '', 'a').bind('c', '', 'q').bind('a', 'k', 'r');
    expect(topology.route('a', 'k')).toEqual(['q', 'r']);
    expect(topology.route('c', 'k')).toEqual(['q', 'r']);
    expect(topology.route('a', 'other')).toEqual([]);
    expect(topology.bind('a', '#', 'a').route('a', 'k')).toEqual(['q', 'r']);
  });

  it('visits an exchange once although several lead there', () => {
    const topology = new Topology()
      .exchange('a', 'fanout')
      .exchange('b', 'fanout')
      .exchange('c', 'fanout')
      .exchange('d', 'fanout');
    topology.bind('a', '', 'b').bind('a', '', 'c').bind('b', '', 'd').bind('c', '', 'd').bind('d', '', 'q');
    expect(topology.explain('a', 'k').filter((step) => step.startsWith('d'))).toEqual(['d --> q']);
  });

  it('takes long chains of exchanges without running out of stack', () => {
    const topology = new Topology();
    for (let index = 20_000; index >= 0; index--) topology.exchange(`x${index}`, 'fanout');
    for (let index = 0; index < 20_000; index++) topology.bind(`x${index}`, '', `x${index + 1}`);
    topology.bind('x20000', '', 'q');
    expect(topology.route('x0', '')).toEqual(['q']);
  });
});

describe('an alternate exchange', () => {
  it('gets what finds no destination, and only that', () => {
    const topology = new Topology().exchange('d', 'direct', 'ae').exchange('ae', 'fanout');
    topology.bind('d', 'k', 'q').bind('ae', '', 'r');
    expect(topology.route('d', 'k')).toEqual(['q']);
    expect(topology.route('d', 'other')).toEqual(['r']);
  });

  it('may have one of its own', () => {
    const topology = new Topology().exchange('a', 'direct', 'b').exchange('b', 'direct', 'c').exchange('c', 'fanout');
    topology.bind('b', 'b', 'q').bind('c', '', 'r');
    expect(topology.route('a', 'b')).toEqual(['q']);
    expect(topology.route('a', 'c')).toEqual(['r']);
  });

  it('ends in a cycle, or when it is not there', () => {
    const topology = new Topology()
      .exchange('a', 'direct', 'b')
      .exchange('b', 'direct', 'a')
      .exchange('c', 'direct', 'missing');
    topology.exchange('d', 'direct', 'd');
    expect([topology.route('a', 'k'), topology.route('c', 'k'), topology.route('d', 'k')]).toEqual([[], [], []]);
    topology.bind('a', 'k', 'q');
    expect(topology.route('b', 'k')).toEqual(['q']);
  });

  it('is not used when an exchange was found, even if nothing lies behind it', () => {
    const topology = new Topology().exchange('d', 'direct', 'ae').exchange('ae', 'fanout').exchange('empty', 'fanout');
    topology.bind('d', 'k', 'empty').bind('ae', '', 'q');
    expect(topology.route('d', 'k')).toEqual([]);
  });

  it('belongs to any exchange on the way', () => {
    const topology = new Topology().exchange('a', 'fanout').exchange('b', 'direct', 'ae').exchange('ae', 'fanout');
    topology.bind('a', '', 'b').bind('a', '', 'q').bind('ae', '', 'r');
    expect(topology.route('a', 'nobody')).toEqual(['q', 'r']);
  });
});

describe('further keys (CC, BCC)', () => {
  it('route as well as the key of the message', () => {
    const topology = new Topology().exchange('d', 'direct').bind('d', 'a', 'q').bind('d', 'b', 'r').bind('d', 'c', 's');
    expect(topology.route('d', 'a', ['b', 'b', 'missing'])).toEqual(['q', 'r']);
    expect(topology.route('d', 'missing', ['c'])).toEqual(['s']);
    expect(topology.route('d', 'a', ['a', 'a'])).toEqual(['q']);
    expect(topology.route('d', 'a')).toEqual(['q']);
  });

  it('keep the alternate exchange out when one of them matches', () => {
    const topology = new Topology().exchange('d', 'direct', 'ae').exchange('ae', 'fanout');
    topology.bind('d', 'b', 'q').bind('ae', '', 'r');
    expect(topology.route('d', 'a', ['b'])).toEqual(['q']);
    expect(topology.route('d', 'a', ['c'])).toEqual(['r']);
  });

  it('go on through exchanges, whichever of them led there', () => {
    const topology = new Topology().exchange('d', 'direct').exchange('t', 'topic');
    topology.bind('d', 'a.b', 't').bind('t', 'x.*', 'q').bind('t', 'a.*', 'r');
    expect(topology.route('d', 'x.y', ['a.b'])).toEqual(['q', 'r']);
  });

  it('mean nothing to an exchange that does not look at keys', () => {
    const topology = new Topology().exchange('h', 'headers');
    const args: FieldTable = [['a', { type: 'I', value: 1 }]];
    topology.bind('h', '', 'q', args);
    expect(topology.route('h', 'k', ['l'], args)).toEqual(['q']);
    expect(topology.route('h', 'k', ['l'])).toEqual([]);
  });

  it.each(['x-consistent-hash', 'x-modulus-hash', 'x-random'])('do not make %s choose again', (type) => {
    const topology = new Topology().exchange('x', type);
    for (let i = 0; i < 20; i++) topology.bind('x', '1', `q${i}`);
    expect(topology.route('x', 'a', ['b', 'c', 'd'])).toHaveLength(1);
  });
});

describe('an exchange that chooses', () => {
  const types = ['x-consistent-hash', 'x-modulus-hash', 'x-random', 'x-local-random'];

  it.each(types)('of type %s asks its alternate exchange when there is nothing to choose from', (type) => {
    const topology = new Topology().exchange('x', type, 'ae').exchange('ae', 'fanout').bind('ae', '', 'other');
    expect(topology.route('x', 'a')).toEqual(['other']);
    topology.bind('x', '1', 'q');
    expect(topology.route('x', 'a')).toEqual(['q']);
  });

  it.each(types)('of type %s chooses among exchanges as among queues', (type) => {
    const topology = new Topology().exchange('x', type).exchange('f', 'fanout');
    topology.bind('x', '1', 'f').bind('f', '', 'q').bind('f', '', 'r');
    expect(topology.route('x', 'a')).toEqual(['q', 'r']);
  });

  it.each([
    ['x-consistent-hash', true],
    ['x-modulus-hash', true],
    ['x-random', false],
    ['x-local-random', false],
  ] as const)('of type %s makes a route that may be kept: %s', (type, byKey) => {
    const topology = new Topology().exchange('t', 'topic').exchange('x', type).bind('t', '#', 'x').bind('x', '1', 'q');
    topology.route('t', 'a');
    expect(topology.walk.byKey).toBe(byKey);
  });
});

describe('what a walk says of itself', () => {
  it('depends on the keys alone unless an exchange looked at more', () => {
    const topology = new Topology().exchange('t', 'topic', 'h').exchange('h', 'headers').exchange('f', 'fanout');
    topology.bind('t', 'a', 'q').bind('t', 'b', 'f').bind('f', '', 'h');
    topology.route('t', 'a');
    expect(topology.walk.byKey).toBe(true);
    topology.route('t', 'b');
    expect(topology.walk.byKey).toBe(false);
    // Nothing matched, so the alternate one was asked.
    topology.route('t', 'c');
    expect(topology.walk.byKey).toBe(false);
    topology.route('t', 'a');
    expect(topology.walk.byKey).toBe(true);
  });

  it('traces every binding that matched, on all ways, each once', () => {
    const topology = new Topology().exchange('t', 'topic').exchange('d', 'direct', 'f').exchange('f', 'fanout');
    topology
      .bind('t', '#', 'q')
      .bind('t', 'a', 'q')
      .bind('t', 'a', 'd')
      .bind('t', 'x', 'r')
      .bind('d', 'z', 'r')
      .bind('f', '', 's');
    expect(topology.explain('t', 'a').sort()).toEqual(['f --> s', 't -#-> q', 't -a-> d', 't -a-> q']);
    expect(topology.explain('t', 'a', ['b', 'x']).sort()).toEqual([
      'f --> s',
      't -#-> q',
      't -a-> d',
      't -a-> q',
      't -x-> r',
    ]);
    topology.route('t', 'a');
    expect(topology.walk.trace).toBeUndefined();
  });
});
