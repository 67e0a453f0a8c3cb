/**
 * What a consumer asks of a stream beside its messages: where to begin, and which of them it wants.
 */

export type StreamOffset =
  /** `last`: the last chunk, which is what was published within one turn (and the same millisecond). */
  | { readonly kind: 'first' | 'last' | 'next' }
  /** One that is not there yet is waited for. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** ms since the epoch. */
  | { readonly kind: 'timestamp'; readonly timeMs: number }
  | { readonly kind: 'age'; readonly ageMs: number };

/** By the header `x-stream-filter-value`; of values one character stands for a byte. */
export interface StreamFilter {
  readonly values: ReadonlySet<string>;
  /** Messages without the header come as well. */
  readonly matchUnfiltered: boolean;
}

export interface StreamSubscription {
  readonly offset: StreamOffset;
  /** Undefined: every message. */
  readonly filter: StreamFilter | undefined;
}
