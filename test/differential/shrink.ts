/** A failing program made small: steps taken out in ever smaller pieces, then what is optional in those that stay. */
import type { Step } from './steps.js';

const MOST_ATTEMPTS = 250;

export type Fails = (steps: readonly Step[]) => Promise<boolean>;

export async function shrink(steps: readonly Step[], fails: Fails): Promise<readonly Step[]> {
  let attempts = 0;
  const limited: Fails = async (candidate) => {
    attempts += 1;
    return attempts <= MOST_ATTEMPTS && (await fails(candidate));
  };
  let smallest = steps;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    smallest = await withoutPieces(smallest, size, limited);
  }
  smallest = await withoutPieces(smallest, 1, limited);
  return withSimplerSteps(smallest, limited);
}

/** From the end: what comes last depends on what came before. */
async function withoutPieces(steps: readonly Step[], size: number, fails: Fails): Promise<readonly Step[]> {
  let smallest = steps;
  for (let start = smallest.length - size; start > -size; start -= size) {
    const from = Math.max(0, start);
    const candidate = [...smallest.slice(0, from), ...smallest.slice(from + size)];
    if (candidate.length < smallest.length && (await fails(candidate))) smallest = candidate;
  }
  return smallest;
}

async function withSimplerSteps(steps: readonly Step[], fails: Fails): Promise<readonly Step[]> {
  let smallest = steps;
  for (let index = 0; index < smallest.length; index++) {
    for (const simpler of simplerSteps(smallest[index] as Step)) {
      const candidate = smallest.with(index, simpler);
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      index -= 1;
      break;
    }
  }
  return smallest;
}

function simplerSteps(step: Step): Step[] {
  switch (step.kind) {
    case 'call':
      return without(step.method, ['name', 'queue', 'exchange', 'type', 'source', 'destination']).map((method) => ({
        ...step,
        method,
      }));
    case 'publish':
      return [
        ...(step.copies > 1 ? [{ ...step, copies: step.copies - 1 }] : []),
        ...without(step.message, ['exchange', 'routingKey', 'body']).map((message) => ({ ...step, message })),
      ];
    default:
      return [];
  }
}

/** The value without one of its optional fields, or without one entry of a table or a property in it. */
function without<T extends object>(value: T, needed: readonly string[]): T[] {
  const entries = Object.entries(value).filter(([key]) => !needed.includes(key));
  return entries.flatMap(([key, inner]: [string, unknown]): T[] => {
    const { [key]: _, ...rest } = value as Record<string, unknown>;
    const smaller: unknown[] = Array.isArray(inner)
      ? inner.map((_item, index) => inner.toSpliced(index, 1))
      : typeof inner === 'object' && inner !== null && !(inner instanceof Uint8Array)
        ? without(inner, [])
        : [];
    // What lacks an optional field is of the same type.
    return [rest as T, ...smaller.map((simpler) => ({ ...value, [key]: simpler }))];
  });
}
