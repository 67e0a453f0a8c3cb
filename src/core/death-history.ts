/** The x-death header and its companions, field by field (SEMANTICS 3.5). */
import { type FieldTable, type FieldValue, lookUp } from './field-value.js';

export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** Where and with which keys the message was published before it died; BCC keys are not among them. */
  readonly exchange: string;
  readonly routingKeys: readonly string[];
  readonly originalExpiration: string | undefined;
  readonly timeSeconds: number;
}

const HEADER = 'x-death';
const FIRST = 'x-first-death-';
const LAST = 'x-last-death-';

export class DeathHistory {
  /** Newest first; one entry for each queue and reason. */
  readonly #entries: FieldTable[];
  readonly #isNew: boolean;
  #last: Death | undefined;

  private constructor(entries: FieldTable[]) {
    this.#entries = entries;
    this.#isNew = entries.length === 0;
  }

  /** From headers that the broker wrote. */
  static of(headers: FieldTable): DeathHistory {
    const value = lookUp(headers, HEADER);
    const entries =
      value?.type === 'A' ? value.value.flatMap((entry) => (entry.type === 'F' ? [entry.value] : [])) : [];
    return new DeathHistory(entries);
  }

  add(death: Death): void {
    const at = this.#entries.findIndex(
      (entry) => textOf(entry, 'queue') === death.queue && textOf(entry, 'reason') === death.reason,
    );
    const [before] = at === -1 ? [] : this.#entries.splice(at, 1);
    this.#entries.unshift(before === undefined ? entryOf(death) : counted(before));
    this.#last = death;
  }

  /** `headers` with this history in it. */
  headers(headers: FieldTable): FieldTable {
    const last = this.#last;
    if (last === undefined) return headers;
    const isFirst = this.#isNew;
    const kept = headers.filter(
      ([key]) => key !== HEADER && !key.startsWith(LAST) && !(isFirst && key.startsWith(FIRST)),
    );
    const entries: FieldValue = {
      type: 'A',
      value: this.#entries.map((entry) => ({ type: 'F', value: entry }) as const),
    };
    return [[HEADER, entries], ...(isFirst ? placesOf(FIRST, last) : []), ...placesOf(LAST, last), ...kept];
  }

  /** Whether a message that comes to `queue` has gone round without anybody rejecting it. */
  isCycle(queue: string, reason: DeathReason): boolean {
    if (reason === 'rejected') return false;
    const at = this.#entries.findIndex((entry) => textOf(entry, 'queue') === queue);
    if (at === -1) return false;
    return this.#entries.slice(0, at + 1).every((entry) => textOf(entry, 'reason') !== 'rejected');
  }
}

function placesOf(beginning: string, { reason, queue, exchange }: Death): FieldTable {
  return [
    [`${beginning}reason`, text(reason)],
    [`${beginning}queue`, text(queue)],
    [`${beginning}exchange`, text(exchange)],
  ];
}

function entryOf(death: Death): FieldTable {
  const expiration = death.originalExpiration;
  return [
    ...(expiration === undefined ? [] : [['original-expiration', text(expiration)] as const]),
    ['count', { type: 'l', value: 1n }],
    ['reason', text(death.reason)],
    ['queue', text(death.queue)],
    ['time', { type: 'T', value: BigInt(death.timeSeconds) }],
    ['exchange', text(death.exchange)],
    ['routing-keys', { type: 'A', value: death.routingKeys.map(text) }],
  ];
}

/** Once more; everything else stays as it was the first time. */
function counted(entry: FieldTable): FieldTable {
  return entry.map(([key, value]) =>
    key === 'count' ? ([key, { type: 'l', value: countOf(entry) + 1n }] as const) : ([key, value] as const),
  );
}

function countOf(entry: FieldTable): bigint {
  const value = lookUp(entry, 'count');
  return value?.type === 'l' ? value.value : 1n;
}

function textOf(entry: FieldTable, key: string): string | undefined {
  const value = lookUp(entry, key);
  return value?.type === 'S' && typeof value.value === 'string' ? value.value : undefined;
}

function text(value: string): FieldValue {
  return { type: 'S', value };
}
