/**
 * The client's side of request-reply: requests that name amq.rabbitmq.reply-to, and for each the one reply that bears
 * its correlation id. It looks at every reply as if somebody had tampered with it.
 */
import { decodeProperties } from '../../protocol/amqp/properties.js';
import { templateBody } from '../load/stamp.js';
import type { OpenChannel } from './conduct.js';
import { consume } from './queue-requests.js';
import type { ScenarioRun } from './scenario-run.js';

const REPLY_TO = 'amq.rabbitmq.reply-to';
const SEQUENCE_BYTES = 4;

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

export class Requester {
  readonly #run: ScenarioRun;
  readonly #place: OpenChannel;
  readonly #queue: string;
  readonly #name: string;
  /** Sent with the sequence in front, and compared with the reply. */
  readonly #body: Uint8Array;
  readonly #view: DataView;
  readonly #waiting = new Map<number, Waiting>();
  /** With one responder replies come in the order of the requests. */
  readonly #inOrder: boolean;
  #sent = 0;
  #highest = 0;

  constructor(run: ScenarioRun, place: OpenChannel, queue: string, number: number) {
    const { sizesBytes, consumers } = run.options;
    this.#run = run;
    this.#place = place;
    this.#queue = queue;
    this.#name = `${number}.`;
    this.#body = templateBody(sizesBytes[0] ?? 0, number, 0);
    this.#view = new DataView(this.#body.buffer);
    this.#inOrder = consumers === 1;
    run.failure.catch((error: unknown) => this.#abandon(error));
  }

  start(): Promise<void> {
    return consume(this.#run, this.#place, REPLY_TO, '');
  }

  /** Resolves with the reply, rejects when the run fails. */
  request(): Promise<void> {
    const sequence = ++this.#sent;
    const { connection, channel } = this.#place;
    const properties = { replyTo: REPLY_TO, correlationId: this.#name + sequence };
    connection.publish(channel, '', this.#queue, properties, this.#bodyOf(sequence));
    return new Promise((resolve, reject) => this.#waiting.set(sequence, { resolve, reject }));
  }

  onReply(properties: Uint8Array, body: Uint8Array): void {
    const { checks } = this.#run;
    const { correlationId = '' } = decodeProperties(properties, 0, properties.length);
    const sequence = correlationId.startsWith(this.#name) ? Number(correlationId.slice(this.#name.length)) : Number.NaN;
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) {
      if (sequence > 0 && sequence <= this.#sent) checks.duplicated++;
      else checks.corrupted++;
      return;
    }
    this.#waiting.delete(sequence);
    if (!sameBytes(this.#bodyOf(sequence), body)) checks.corrupted++;
    if (sequence > this.#highest) this.#highest = sequence;
    else if (this.#inOrder) checks.outOfOrder++;
    waiting.resolve();
  }

  /** No reply will come any more. */
  #abandon(error: unknown): void {
    this.#run.checks.lost += this.#waiting.size;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #bodyOf(sequence: number): Uint8Array {
    if (this.#body.length >= SEQUENCE_BYTES) this.#view.setUint32(0, sequence);
    return this.#body;
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
