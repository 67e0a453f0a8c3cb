/**
 * Who may import whom: the rules of src/README.md, read off the import statements. The second half breaks each rule
 * once in made-up files, because a rule that cannot fail proves nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Import {
  readonly from: string;
  /** A path from the root of the repository, or a package. */
  readonly to: string;
  readonly typeOnly: boolean;
  readonly forSideEffect: boolean;
}

type Sources = ReadonlyMap<string, string>;

interface Rule {
  readonly number: number;
  readonly text: string;
  readonly isBroken: (entry: Import) => boolean;
}

const CLOCK = 'src/clock.ts';
const ERRORS = 'src/errors.ts';
const GENERATOR = 'protocol/amqp/generate.ts';
const LAYOUT = 'src/core/log/record-layout.ts';
const VIRTUAL_HOST = 'src/core/virtual-host.ts';
const COMPOSITION = ['src/broker.ts', 'src/storage.ts', 'src/index.ts'];
const LOAD_GENERATOR = 'bench/command.ts';
/** Benchmarks of our own parts, and of a broker in the same process. */
const INSIDE_BENCHES = /^bench\/(micro\/|hostile)/;
/** What the subcommands call. */
const OFFLINE_TOOLS = ['src/store/lmdb/check.ts', 'src/store/lmdb/backup.ts'];

/** What a folder or file of src may name as a value; types may come from anywhere that rules 1 to 4 allow. */
const VALUES_FROM: Readonly<Record<string, readonly string[]>> = {
  'src/auth/': ['src/auth/', 'src/core/', ERRORS, CLOCK],
  'src/management/': ['src/management/', 'src/metrics/', 'src/auth/', 'src/core/', ERRORS, CLOCK],
  'src/metrics/': ['src/metrics/', 'src/core/', ERRORS, CLOCK],
  'src/net/': ['src/net/', 'src/core/', ERRORS, CLOCK],
  'src/session/': ['src/session/', 'src/auth/', 'src/core/', 'protocol/', ERRORS, CLOCK],
  'src/resources/': ['src/resources/', CLOCK],
  'src/store/': ['src/store/', 'src/core/', ERRORS, CLOCK],
  'src/config.ts': ['src/option-table.ts'],
  'src/logger.ts': ['src/option-table.ts'],
  'src/option-table.ts': [],
  [CLOCK]: [],
  [ERRORS]: [],
};

const RULES: readonly Rule[] = [
  {
    number: 1,
    text: 'protocol imports only node:buffer and itself (the generator also writes files)',
    isBroken: ({ from, to }) =>
      inside('protocol/', from) &&
      !inside('protocol/', to) &&
      to !== 'node:buffer' &&
      !(from === GENERATOR && to === 'node:fs'),
  },
  {
    number: 1,
    text: 'protocol/amqp and protocol/stomp do not import each other',
    isBroken: ({ from, to }) => areApart('protocol/amqp/', 'protocol/stomp/', from, to),
  },
  {
    number: 2,
    text: 'core imports core, errors and clock; of node only buffer and crypto',
    isBroken: ({ from, to }) =>
      inside('src/core/', from) &&
      !within(['src/core/', ERRORS, CLOCK, 'node:buffer', 'node:crypto'], to) &&
      !(from === LAYOUT && to === 'buffer-layout'),
  },
  {
    number: 3,
    text: 'store imports core/ports, the records of core/log, and otherwise only types of core',
    isBroken: ({ from, to, typeOnly }) =>
      inside('src/store/', from) &&
      to.startsWith('src/') &&
      !within(['src/store/', 'src/core/ports/', 'src/core/log/', ERRORS, CLOCK], to) &&
      !(typeOnly && inside('src/core/', to)),
  },
  {
    number: 3,
    text: 'only store/lmdb imports lmdb',
    isBroken: ({ from, to }) => to === 'lmdb' && !inside('src/store/lmdb/', from),
  },
  {
    number: 3,
    text: 'only store/lmdb and core/log/record-layout import buffer-layout',
    isBroken: ({ from, to }) => to === 'buffer-layout' && !inside('src/store/lmdb/', from) && from !== LAYOUT,
  },
  {
    number: 4,
    text: 'session/amqp and session/stomp do not import each other, and session/shared imports neither',
    isBroken: ({ from, to }) =>
      areApart('src/session/amqp/', 'src/session/stomp/', from, to) ||
      (inside('src/session/shared/', from) && within(['src/session/amqp/', 'src/session/stomp/'], to)),
  },
  {
    number: 5,
    text: 'only broker, auth, management and core name VirtualHost as a value',
    isBroken: ({ from, to, typeOnly }) =>
      to === VIRTUAL_HOST && !typeOnly && !within(['src/broker.ts', 'src/auth/', 'src/management/', 'src/core/'], from),
  },
  {
    number: 6,
    text: 'only broker wires services across folders',
    isBroken: ({ from, to, typeOnly }) => {
      const owner = Object.keys(VALUES_FROM).find((place) => within([place], from));
      return !typeOnly && owner !== undefined && isOurs(to) && !within(VALUES_FROM[owner] ?? [], to);
    },
  },
  {
    number: 6,
    text: 'nothing in src imports the composition root; bin imports only it, clock, config, logger, version and offline tools',
    isBroken: ({ from, to, typeOnly }) =>
      (inside('src/', from) && COMPOSITION.includes(to) && !COMPOSITION.includes(from)) ||
      (inside('bin/', from) &&
        isOurs(to) &&
        !(typeOnly || inside('bin/', to)) &&
        ![...COMPOSITION, ...OFFLINE_TOOLS, CLOCK, 'src/config.ts', 'src/logger.ts', 'src/version.ts'].includes(to) &&
        !(from === 'bin/bench.ts' && to === LOAD_GENERATOR)),
  },
  {
    number: 8,
    text: 'bench imports protocol, node and itself; only bench/micro and bench/hostile measure what is inside',
    isBroken: ({ from, to }) =>
      inside('bench/', from) &&
      !INSIDE_BENCHES.test(from) &&
      !/^node:/.test(to) &&
      !within(['bench/', 'protocol/'], to),
  },
  {
    number: 8,
    text: 'only bin/bench imports the load generator',
    isBroken: ({ from, to }) =>
      inside('bench/', to) && !inside('bench/', from) && !(from === 'bin/bench.ts' && to === LOAD_GENERATOR),
  },
  { number: 6, text: 'no import for its side effect', isBroken: ({ forSideEffect }) => forSideEffect },
  {
    number: 6,
    text: 'only logger imports pino',
    isBroken: ({ from, to }) => to === 'pino' && from !== 'src/logger.ts',
  },
];

function violations(sources: Sources): string[] {
  const imports = [...sources].flatMap(([path, source]) => importsOf(path, source));
  const broken = imports.flatMap((entry) =>
    RULES.filter((rule) => rule.isBroken(entry)).map(
      ({ number, text }) => `rule ${number}: ${entry.from} imports ${entry.to} (${text})`,
    ),
  );
  const inSources = [...sources].flatMap(([path, source]) => sourceViolations(path, withoutComments(source)));
  const cycle = findCycle(imports.filter(({ typeOnly }) => !typeOnly));
  return [...broken, ...inSources, ...(cycle === undefined ? [] : [`rule 7: cycle ${cycle.join(' -> ')}`])];
}

function sourceViolations(path: string, source: string): string[] {
  const found: string[] = [];
  if (/^(export )?(let|var) /m.test(source)) found.push(`rule 6: ${path} has module-level mutable state`);
  const reading = /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|queueMicrotask|nextTick)\b/;
  if (path.startsWith('src/') && path !== CLOCK && (reading.test(source) || /\bnew Date\(\)/.test(source))) {
    found.push(`rule 2: ${path} reads the time or starts a timer; only ${CLOCK} does`);
  }
  return found;
}

function importsOf(from: string, source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  const add = (target: string, typeOnly: boolean, forSideEffect = false) => {
    const to = target.startsWith('.') ? posix.join(posix.dirname(from), target).replace(/\.js$/, '.ts') : target;
    found.push({ from, to, typeOnly, forSideEffect });
  };
  for (const [, type, target] of code.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?\bfrom\s*'([^']+)'/gm)) {
    add(target ?? '', type !== undefined);
  }
  for (const [, target] of code.matchAll(/^import\s*'([^']+)'/gm)) add(target ?? '', false, true);
  for (const [, target] of code.matchAll(/\b(?:import|require)\(\s*'([^']+)'/g)) add(target ?? '', false);
  return found;
}

function findCycle(imports: readonly Import[]): string[] | undefined {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return undefined;
    for (const to of targets.get(path) ?? []) {
      const cycle = visit(to, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    finished.add(path);
    return undefined;
  };
  for (const path of targets.keys()) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

const inside = (folder: string, path: string): boolean => path.startsWith(folder);
const within = (places: readonly string[], path: string): boolean =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
const areApart = (one: string, other: string, from: string, to: string): boolean =>
  (inside(one, from) && inside(other, to)) || (inside(other, from) && inside(one, to));
const isOurs = (path: string): boolean => within(['src/', 'protocol/', 'bin/', 'bench/'], path);

function sourcesOf(folder: string): [string, string][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sourcesOf(path);
    return path.endsWith('.ts') ? [[path, readFileSync(path, 'utf8')]] : [];
  });
}

describe('the architecture', () => {
  it('follows its import rules', () => {
    const sources = new Map(['src', 'protocol', 'bin', 'bench'].flatMap(sourcesOf));
    expect(sources.size).toBeGreaterThan(10);
    expect(violations(sources)).toEqual([]);
  });

  it('has buffer-layout, lmdb and pino as its only run-time dependencies', () => {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(Object.keys(dependencies).sort()).toEqual(['buffer-layout', 'lmdb', 'pino']);
  });
});

describe('the check of the import rules', () => {
  it.each([
    [1, 'protocol/amqp/frame-parser.ts', `import { BrokerError } from '../../src/errors.js';`],
    [1, 'protocol/amqp/frame-parser.ts', `import net from 'node:net';`],
    [1, 'protocol/stomp/frame-parser.ts', `import type { Frame } from '../amqp/frame-parser.js';`],
    [2, 'src/core/router.ts', `import { FrameType } from '../../protocol/amqp/constants.gen.js';`],
    [2, 'src/core/router.ts', `import type { Socket } from 'node:net';`],
    [2, 'src/core/queue/queue.ts', `export const declaredAt = Date.now();`],
    [2, 'src/net/heartbeat.ts', `setInterval(() => {}, 1000);`],
    [3, 'src/store/memory-store.ts', `import { ClassicQueue } from '../core/queue/classic-queue.js';`],
    [3, 'src/store/memory-store.ts', `import { open } from 'lmdb';`],
    [3, 'src/session/amqp/content.ts', `import { struct } from 'buffer-layout';`],
    [4, 'src/session/stomp/session.ts', `import { Channel } from '../amqp/channel.js';`],
    [4, 'src/session/shared/prefetch.ts', `import type { Channel } from '../amqp/channel.js';`],
    [5, 'src/session/amqp/channel.ts', `import {\n  VirtualHost,\n} from '../../core/virtual-host.js';`],
    [6, 'src/session/amqp/connection.ts', `import { Transport } from '../../net/transport.js';`],
    [6, 'src/net/listener.ts', `export { Handshake } from '../session/amqp/handshake.js';`],
    [6, 'src/auth/user-store.ts', `const { createLogger } = await import('../logger.js');`],
    [6, 'src/core/names.ts', `import '../clock.js';`],
    [6, 'src/core/names.ts', `let generated = 0;`],
    [6, 'bin/jackalope.ts', `import { VirtualHost } from '../src/core/virtual-host.js';`],
    [6, 'src/net/listener.ts', `import { pino } from 'pino';`],
    [7, 'src/core/a.ts', `import { b } from './a.js';`],
    [8, 'bench/load/publisher.ts', `import { SystemClock } from '../../src/clock.js';`],
    [8, 'bench/load/publisher.ts', `import amqp from 'amqplib';`],
    [8, 'src/broker.ts', `import { runBenchCommand } from '../bench/command.js';`],
    [8, 'bin/command.ts', `import { runBenchCommand } from '../bench/command.js';`],
  ])('sees rule %i broken in %s by %s', (number, path, source) => {
    const found = violations(new Map([[path, source]]));
    expect(found.map((text) => text.slice(0, 'rule N'.length))).toContain(`rule ${number}`);
  });

  it.each([
    ['src/session/amqp/connection.ts', `import type { Transport } from '../../net/transport.js';`],
    ['src/core/queue/queue.ts', `// setTimeout is elsewhere\nimport type { Turn } from '../turn.js';`],
    ['src/core/a.ts', `import type { B } from './a.js';`],
    ['src/store/memory-store.ts', `import type { Queue } from '../core/queue/queue.js';`],
    ['src/core/log/record-layout.ts', `import { struct } from 'buffer-layout';`],
    ['bin/bench.ts', `import { runBenchCommand } from '../bench/command.js';`],
    ['bench/micro/codec-steps.ts', `import { Turn } from '../../src/core/turn.js';`],
  ])('has nothing against %s with %s', (path, source) => {
    expect(violations(new Map([[path, source]]))).toEqual([]);
  });

  it('names the files of a longer cycle', () => {
    const sources = new Map([
      ['src/core/a.ts', `import { b } from './b.js';`],
      ['src/core/b.ts', `import { c } from './c.js';`],
      ['src/core/c.ts', `import { a } from './a.js';`],
    ]);
    expect(violations(sources)).toEqual([
      'rule 7: cycle src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
    ]);
  });
});
