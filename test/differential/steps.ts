/**
 * What a program of the differential test is made of. A step means something whatever came before it, so that a program
 * stays one when steps are taken out. `~` in a string stands for what makes the names of one run unique.
 */
import { inspect } from 'node:util';
import type { Publication } from '../support/wire-client.js';
import type { Sendable } from '../support/wire-frames.js';

/** Two channels of connection a, one of connection b. They are opened when a step needs them. */
export const CHANNELS = ['a1', 'a2', 'b1'] as const;
export type ChannelName = (typeof CHANNELS)[number];
export type ConnectionName = 'a' | 'b';

export type Step =
  /** One method, with its reply if it has one. */
  | { readonly kind: 'call'; readonly on: ChannelName; readonly method: Sendable }
  | {
      readonly kind: 'publish';
      readonly on: ChannelName;
      readonly message: Publication;
      readonly copies: number;
    }
  /** The `which`th of the messages the channel has not settled, modulo their number; nothing when there is none. */
  | {
      readonly kind: 'settle';
      readonly on: ChannelName;
      readonly by: 'ack' | 'nack' | 'reject';
      readonly which: number;
      readonly multiple: boolean;
      readonly requeue: boolean;
    }
  /** The client closes the channel. */
  | { readonly kind: 'close'; readonly on: ChannelName }
  /** The client closes the connection. */
  | { readonly kind: 'disconnect'; readonly connection: ConnectionName }
  /** A queue that expires, in one go: its time must not run while others are looked at. */
  | { readonly kind: 'expire'; readonly on: ChannelName; readonly consumed: boolean; readonly deadLetter: string };

export interface Program {
  readonly seed: number;
  readonly steps: readonly Step[];
}

/** A message that lives this long is dead before the next step. */
export const SHORT_TTL_MS = 80;

export function hasShortTtl(steps: readonly Step[]): boolean {
  const text = inspect(steps, { depth: null, compact: true, breakLength: Number.POSITIVE_INFINITY });
  return text.includes(`'${SHORT_TTL_MS}'`) || text.includes(`value: ${SHORT_TTL_MS} `);
}

export function describeStep(step: Step): string {
  return inspect(step, { depth: null, compact: true, breakLength: Number.POSITIVE_INFINITY });
}

/** The step with `~` in all its strings replaced. */
export function named<T>(value: T, prefix: string): T {
  // The shape stays what it was: only strings change.
  if (typeof value === 'string') return value.replaceAll('~', prefix) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => named(item, prefix)) as T;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, named<unknown>(inner, prefix)])) as T;
}
