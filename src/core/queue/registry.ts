/**
 * The queue types there are.
 */
import { CLASSIC } from './classic-queue.js';
import type { QueueType } from './queue-type.js';
import { QUORUM } from './quorum-queue.js';
import { STREAM } from './stream-queue.js';

export const QUEUE_TYPES: readonly QueueType[] = [CLASSIC, QUORUM, STREAM];

/** Throws Error for a name without a type. */
export function queueType(name: string): QueueType {
  const found = QUEUE_TYPES.find((type) => type.name === name);
  if (found === undefined) throw new Error(`unknown queue type '${name}'`);
  return found;
}
