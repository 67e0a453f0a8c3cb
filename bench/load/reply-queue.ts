/** The replies that a connection's requests wait for: in order on each channel, since AMQP 0-9-1 answers in order. */
import type { Method } from '../../protocol/amqp/methods.gen.js';

export type MethodNamed<Name extends Method['name']> = Extract<Method, { readonly name: Name }>;
export type ReplyName = Method['name'];
export type Request = Method;

interface Waiting {
  readonly name: ReplyName;
  resolve(method: Method): void;
  reject(error: Error): void;
}

/** A broker that owes a reply and says nothing at all for that long is taken for dead. */
const SILENCE_LIMIT_MS = 60_000;

export class ReplyQueue {
  readonly #waiting = new Map<number, Waiting[]>();
  readonly #onSilence: (text: string) => void;
  #silence: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(onSilence: (text: string) => void) {
    this.#onSilence = onSilence;
  }

  /** Anything at all came from the broker. */
  heard(): void {
    this.#silence?.refresh();
  }

  expect<Name extends ReplyName>(channel: number, name: Name): Promise<MethodNamed<Name>> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        name,
        // `settle` has compared the names.
        resolve: (method) => resolve(method as MethodNamed<Name>),
        reject,
      };
      const waiting = this.#waiting.get(channel);
      if (waiting === undefined) this.#waiting.set(channel, [entry]);
      else waiting.push(entry);
      this.#count++;
      this.#silence ??= setTimeout(
        () => this.#onSilence(`the broker has not answered with ${name} for ${SILENCE_LIMIT_MS / 1000} s`),
        SILENCE_LIMIT_MS,
      );
    });
  }

  /** Throws when nobody waits for that. */
  settle(channel: number, method: Method): void {
    const first = this.#waiting.get(channel)?.shift();
    if (first === undefined) throw new Error(`${method.name} on channel ${channel}, which nobody asked for`);
    if (--this.#count === 0) this.#endSilence();
    if (first.name === method.name) {
      first.resolve(method);
      return;
    }
    const error = new Error(`${method.name} on channel ${channel} instead of ${first.name}`);
    first.reject(error);
    throw error;
  }

  reject(error: Error): void {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#count = 0;
    this.#endSilence();
    for (const { reject } of all) reject(error);
  }

  #endSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }
}
