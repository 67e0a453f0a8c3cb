/**
 * What is still due, and what went wrong: who published what and which queues it belongs to, set against what the
 * consumers saw. Bodies too small for a sequence number are only counted.
 */
import type { BenchOptions } from '../options.js';
import type { MessageChecks } from '../result.js';
import type { Consumer } from './consumer.js';
import { SequenceCheck } from './message-checks.js';
import type { Publisher } from './publisher.js';
import { SEQUENCE_BYTES, STAMP_BYTES } from './stamp.js';
import type { Topology } from './topology.js';

/** Queue arguments by which a broker drops messages on purpose. */
const DROPPING_ARGUMENTS = /^x-(max-length|max-length-bytes|message-ttl|expires)$/;

export class MessageAccount {
  /** By queue, then producer. */
  readonly sequences: readonly (readonly (SequenceCheck | undefined)[])[];
  readonly #options: BenchOptions;
  readonly #topology: Topology;
  readonly #publishers: readonly Publisher[];
  readonly #consumers: readonly Consumer[];

  /** Publishers and consumers may be added to their lists later. */
  constructor(
    options: BenchOptions,
    topology: Topology,
    publishers: readonly Publisher[],
    consumers: readonly Consumer[],
  ) {
    this.#options = options;
    this.#topology = topology;
    this.#publishers = publishers;
    this.#consumers = consumers;
    this.sequences = topology.queues.map(({ parts }) =>
      parts.map((part) => (part === undefined ? undefined : new SequenceCheck(part))),
    );
  }

  /** Messages that a queue is due and that no consumer got. */
  get missing(): number {
    let missing = 0;
    this.#topology.queues.forEach((_queue, index) => {
      missing += Math.max(0, this.#expectedIn(index) - this.#seenIn(index));
    });
    return Math.max(0, missing - this.#excused());
  }

  /** After a failure nobody knows what was still on its way, so nothing counts as lost. */
  checks(endedByFailure: boolean): MessageChecks {
    const lost = this.#tellsLoss && !endedByFailure ? this.missing : 0;
    const all = this.sequences.flat();
    const duplicated = sum(all, (check) => check?.duplicated ?? 0) + this.#surplus();
    const outOfOrder = sum(this.#consumers, ({ check }) => check.outOfOrder);
    const corrupted = sum(this.#consumers, ({ check }) => check.corrupted);
    return { passed: lost + duplicated + outOfOrder + corrupted === 0, lost, duplicated, outOfOrder, corrupted };
  }

  /** What the checks of this run leave out, and what else its reader should know. */
  notes(): string[] {
    const { sizesBytes, producers, consumers, queueArguments } = this.#options;
    const notes: string[] = [];
    const smallest = Math.min(...sizesBytes);
    if (smallest < SEQUENCE_BYTES) notes.push('bodies under 8 bytes: only counted, their order is not checked');
    if (smallest < STAMP_BYTES) notes.push('bodies under 16 bytes: no latency, content not checked');
    if (producers === 0) notes.push('consumed what others published: only counted, no checks and no latency');
    if (consumers === 0) notes.push('published only: no check of what the queues hold');
    if (Object.keys(queueArguments).some((key) => DROPPING_ARGUMENTS.test(key))) {
      notes.push('queue arguments that let the broker drop messages: losses are not counted');
    }
    const blocked = this.#publishers.find(({ blockedBecause }) => blockedBecause !== undefined);
    if (blocked !== undefined) notes.push(`the broker blocked publishers: ${blocked.blockedBecause}`);
    return notes;
  }

  #expectedIn(queue: number): number {
    const checks = this.sequences[queue] ?? [];
    return sum(checks, (check, producer) => check?.expectedOf(this.#publishers[producer]?.published ?? 0) ?? 0);
  }

  #seenIn(queue: number): number {
    if (this.#isCounted) return this.#deliveredFrom(queue);
    return sum(this.sequences[queue] ?? [], (check) => check?.seen ?? 0);
  }

  #deliveredFrom(queue: number): number {
    const { length } = this.#topology.queues;
    return sum(this.#consumers, ({ check }, index) => (index % length === queue ? check.delivered : 0));
  }

  /** Without sequence numbers in the bodies there is only their number. */
  get #isCounted(): boolean {
    return this.#options.sizesBytes.some((size) => size < SEQUENCE_BYTES);
  }

  #surplus(): number {
    if (!this.#isCounted || this.#options.producers === 0) return 0;
    return sum(this.#topology.queues, (_queue, index) =>
      Math.max(0, this.#deliveredFrom(index) - this.#expectedIn(index)),
    );
  }

  /** Of what is missing: returned, refused, or perhaps not arrived at the broker yet, in every queue due to it. */
  #excused(): number {
    return sum(this.#publishers, ({ returned, confirms }, producer) => {
      const messages = returned + (confirms?.nacked ?? 0) + (confirms?.outstanding ?? 0);
      if (messages === 0) return 0;
      return messages * sum(this.sequences, (checks) => 1 / (checks[producer]?.stride ?? Number.POSITIVE_INFINITY));
    });
  }

  get #tellsLoss(): boolean {
    const { producers, consumers, queueArguments, messagesPerConsumer } = this.#options;
    const drops = Object.keys(queueArguments).some((key) => DROPPING_ARGUMENTS.test(key));
    const everyQueueIsRead = consumers >= this.#topology.queues.length;
    return producers > 0 && everyQueueIsRead && !drops && messagesPerConsumer === undefined;
  }
}

export function sum<Item>(items: readonly Item[], of: (item: Item, index: number) => number): number {
  return items.reduce((total, item, index) => total + of(item, index), 0);
}
