/**
 * Resource alarms: while one is raised, connections that publish are blocked (SEMANTICS 1.8). Whoever watches memory
 * and disk raises and clears; sessions listen.
 */

export type AlarmSource = 'memory' | 'disk';

export class Alarms {
  readonly #raised = new Set<AlarmSource>();
  readonly #listeners = new Set<() => void>();

  get active(): boolean {
    return this.#raised.size > 0;
  }

  /** What a blocked client is told: `low on memory & disk`. */
  get reason(): string {
    return `low on ${[...this.#raised].join(' & ')}`;
  }

  raise(source: AlarmSource): void {
    if (this.#raised.has(source)) return;
    this.#raised.add(source);
    this.#notify();
  }

  clear(source: AlarmSource): void {
    if (this.#raised.delete(source)) this.#notify();
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
