/**
 * Direct reply-to: pseudo-queues that hand a reply straight to the consumer that asked for it, with nothing stored
 * (SEMANTICS 3.10). Each lives as long as the consumer on `amq.rabbitmq.reply-to` that it belongs to.
 */
import { randomBytes } from 'node:crypto';
import { RecordReader, type RecordSource } from './log/record.js';
import type { MessageTarget } from './queue/queue.js';

export const REPLY_TO = 'amq.rabbitmq.reply-to';
const PREFIX = `${REPLY_TO}.`;

/** True for the name of one requester's pseudo-queue, not for the bare `amq.rabbitmq.reply-to`. */
export function isReplyName(name: string): boolean {
  return name.startsWith(PREFIX);
}

export class ReplyQueue implements MessageTarget {
  readonly name: string;
  closed = false;
  readonly #deliver: (record: RecordReader) => void;
  readonly #reader = new RecordReader();

  constructor(name: string, deliver: (record: RecordReader) => void) {
    this.name = name;
    this.#deliver = deliver;
  }

  enqueue(source: RecordSource): void {
    // A transaction may have been routed here before the requester went.
    if (this.closed) return;
    this.#reader.showSource(source);
    this.#deliver(this.#reader);
  }
}

export class ReplyQueues {
  readonly #byName = new Map<string, ReplyQueue>();
  readonly #onChange: () => void;

  /** `onChange` hears when a name begins or ends to lead somewhere. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  find(name: string): ReplyQueue | undefined {
    return this.#byName.get(name);
  }

  /** Opens a pseudo-queue under a name that nobody can guess. */
  open(deliver: (record: RecordReader) => void): ReplyQueue {
    const name = `${PREFIX}${randomBytes(18).toString('base64url')}.${randomBytes(9).toString('base64url')}`;
    const queue = new ReplyQueue(name, deliver);
    this.#byName.set(name, queue);
    this.#onChange();
    return queue;
  }

  close(queue: ReplyQueue): void {
    queue.closed = true;
    if (this.#byName.delete(queue.name)) this.#onChange();
  }
}
