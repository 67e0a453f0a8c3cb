/**
 * Resource alarms: while one is raised, connections that publish are blocked (SEMANTICS 1.8). Whoever watches memory
 * and disk raises and clears; sessions listen. Several may hold the same alarm, each for a reason of its own, and it
 * is over when the last of them lets go.
 */

export type AlarmSource = 'memory' | 'disk';

/** Who raised it: a monitor of `resources/`, a store whose commits fail, or the operator through the library. */
export type AlarmHolder = 'monitor' | 'store' | 'operator';

export class Alarms {
  readonly #raised = new Map<AlarmSource, Set<AlarmHolder>>();
  readonly #listeners = new Set<() => void>();
  /** Hears of each alarm that begins and ends. */
  onChange: (source: AlarmSource, isRaised: boolean) => void = () => {};

  get active(): boolean {
    return this.#raised.size > 0;
  }

  /** What a blocked client is told: `low on memory & disk`. */
  get reason(): string {
    return `low on ${[...this.#raised.keys()].join(' & ')}`;
  }

  isRaised(source: AlarmSource): boolean {
    return this.#raised.has(source);
  }

  raise(source: AlarmSource, holder: AlarmHolder = 'operator'): void {
    const holders = this.#raised.get(source);
    if (holders !== undefined) {
      holders.add(holder);
      return;
    }
    this.#raised.set(source, new Set([holder]));
    this.onChange(source, true);
    this.#notify();
  }

  clear(source: AlarmSource, holder: AlarmHolder = 'operator'): void {
    const holders = this.#raised.get(source);
    if (holders === undefined || !holders.delete(holder) || holders.size > 0) return;
    this.#raised.delete(source);
    this.onChange(source, false);
    this.#notify();
  }

  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
