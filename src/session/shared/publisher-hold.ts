/**
 * Holds back one connection that publishes: while an alarm is up, and while the throttle is on and it has sent its
 * share. Its reads stop at the gate; what it said before is handled.
 */
import type { TurnTask } from '../../core/turn.js';
import type { Transport } from '../../net/transport.js';
import type { Alarms } from './flow-control.js';
import { type PublishThrottle, ThrottledPublisher } from './publish-throttle.js';
import type { GateReason, ReadGate } from './read-gate.js';

/** What is needed of the connection. */
export interface HeldPublisher {
  /** False when it is not to be held any more, since it closes. */
  readonly mayBeHeld: boolean;
  /** It is held because of an alarm. */
  blocked(reason: string): void;
  /** The alarm is over. */
  unblocked(): void;
  openGate(reason: GateReason): void;
}

const HOLDS: readonly GateReason[] = ['alarm', 'throttle'];

export class PublisherHold {
  readonly #publisher: HeldPublisher;
  readonly #gate: ReadGate;
  readonly #alarms: Alarms;
  readonly #throttle: PublishThrottle;
  readonly #transport: Transport;
  readonly #throttled: ThrottledPublisher;
  readonly #onAlarm = (): void => this.#alarmChanged();
  readonly #afterThrottle: TurnTask = { deferred: false, runInTurn: () => this.#publisher.openGate('throttle') };

  constructor(
    publisher: HeldPublisher,
    gate: ReadGate,
    transport: Transport,
    alarms: Alarms,
    throttle: PublishThrottle,
  ) {
    this.#publisher = publisher;
    this.#gate = gate;
    this.#alarms = alarms;
    this.#throttle = throttle;
    this.#transport = transport;
    this.#throttled = new ThrottledPublisher(throttle);
  }

  get holds(): boolean {
    return HOLDS.some((reason) => this.#gate.isClosedFor(reason));
  }

  /** From now on it hears of the ends of alarms. */
  start(): void {
    this.#alarms.listen(this.#onAlarm);
  }

  stop(): void {
    this.#alarms.unlisten(this.#onAlarm);
  }

  /** It has published while an alarm is up. */
  block(): void {
    if (this.#gate.isClosedFor('alarm') || !this.#publisher.mayBeHeld) return;
    this.#gate.close('alarm');
    this.#publisher.blocked(this.#alarms.reason);
  }

  /** It may have published while the throttle is on: what comes next is left in the socket until that is over. */
  slowDown(): void {
    if (this.#gate.isClosedFor('throttle') || !this.#publisher.mayBeHeld) return;
    if (!this.#throttled.mustWait(this.#transport.bytesRead)) return;
    this.#gate.close('throttle');
    this.#throttle.wakeWhenOver(this.#afterThrottle);
  }

  #alarmChanged(): void {
    if (!this.#gate.isClosedFor('alarm') || this.#alarms.active) return;
    this.#publisher.unblocked();
    this.#publisher.openGate('alarm');
  }
}
