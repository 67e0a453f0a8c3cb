/**
 * The stream: a log that consumers read, each from where it likes, and that only retention shortens. Its messages are
 * durable whatever they say. An acknowledgement is credit and nothing else.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import type { Consumer } from '../consumer.js';
import type { RecordReader, RecordSource } from '../log/record.js';
import { type StreamLimits, StreamLog } from '../log/stream-log.js';
import { describeQueue } from '../names.js';
import type { CommitId } from '../ports/message-store.js';
import type { StreamFilter, StreamOffset } from '../stream-subscription.js';
import { consumerFacts } from '../topology-events.js';
import { TurnPhase, type TurnTask } from '../turn.js';
import type { PublishOutcome, Queue, QueueCounters, QueueOptions } from './queue.js';
import type { QueueHost, QueueType } from './queue-type.js';
import { type QueueSettings, settingsOf } from './settings.js';
import { ShownOffset } from './shown-offset.js';
import { StreamReaders } from './stream-readers.js';

/** RabbitMQ's. */
const DEFAULT_SEGMENT_BYTES = 500_000_000;
const DEFAULT_FILTER_BYTES = 16;
const FILTER_VALUE = Buffer.from('x-stream-filter-value');
const NEXT: StreamOffset = { kind: 'next' };

export const STREAM: QueueType = {
  name: 'stream',
  alwaysKept: true,
  takesGlobalPrefetch: false,
  takesGetsBesideActive: false,
  deleteFlags: 'ignored',
  tellsCounts: false,
  logCount: () => 1,
  create: (id, name, options, host) => new StreamQueue(id, name, options, host),
};

export class StreamQueue implements Queue, TurnTask {
  readonly id: number;
  readonly name: string;
  readonly type = 'stream';
  readonly options: QueueOptions;
  settings: QueueSettings;
  readonly bindings = new Set<Binding>();
  readonly counters: QueueCounters = { published: 0, delivered: 0, acknowledged: 0, redelivered: 0 };
  unackedCount = 0;
  deleted = false;
  routeMark = 0;
  deferred = false;
  readonly #host: QueueHost;
  readonly #log: StreamLog;
  readonly #readers: StreamReaders;
  readonly #shownOffset: ShownOffset;
  readonly #durable = (): void => this.wake();

  constructor(id: number, name: string, options: QueueOptions, host: QueueHost) {
    this.id = id;
    this.name = name;
    this.options = options;
    this.settings = settingsOf(options.arguments);
    this.#host = host;
    this.#shownOffset = new ShownOffset(host.properties);
    this.#log = new StreamLog(id, host.logs, limitsOf(this.settings), filterValueReader(host));
    this.#readers = new StreamReaders(this.#log, (consumer, record, filter) => this.#deliver(consumer, record, filter));
  }

  restore(): void {
    this.#log.restore();
    this.#log.retain();
  }

  configure(settings: QueueSettings): void {
    this.settings = settings;
    this.#log.limit(limitsOf(settings));
  }

  /** All that is kept: nobody takes anything away. */
  get readyCount(): number {
    return this.#log.nextPosition - this.#log.firstPosition;
  }

  get pendingCommit(): CommitId {
    return this.#log.pendingCommit;
  }

  get consumerCount(): number {
    return this.#readers.count;
  }

  get consumers(): readonly Consumer[] {
    return this.#readers.consumers;
  }

  enqueue(source: RecordSource, outcome: PublishOutcome): void {
    // A transaction may have been routed here before the queue went.
    if (this.deleted) return;
    const { persistent, sharedBodyId, expiresAt } = source;
    source.persistent = true;
    source.expiresAt = 0;
    // History is read in one piece, so a stream has its own copy of every body.
    source.sharedBodyId = 0;
    try {
      const commit = this.#log.append(source);
      if (commit > outcome.commit) outcome.commit = commit;
    } finally {
      source.persistent = persistent;
      source.expiresAt = expiresAt;
      source.sharedBodyId = sharedBodyId;
    }
    this.counters.published++;
    this.#serveLater();
  }

  take(): boolean {
    throw this.#refusal('basic.get not supported by stream queues');
  }

  ack(): void {
    this.unackedCount--;
    this.counters.acknowledged++;
  }

  requeue(): void {
    this.unackedCount--;
  }

  reject(): void {
    this.unackedCount--;
  }

  purge(): number {
    throw this.#refusal('queue.purge not supported by stream queues');
  }

  addConsumer(consumer: Consumer): void {
    if (consumer.noAck) throw this.#refusal('automatic acknowledgement not supported by stream');
    this.#readers.add(consumer, this.#positionOf(consumer.stream?.offset ?? NEXT));
    this.#host.events.emit('consumer.created', () => consumerFacts(consumer, this, this.#host.name));
    this.wake();
  }

  removeConsumer(consumer: Consumer): void {
    if (!this.#readers.remove(consumer)) return;
    this.#host.events.emit('consumer.deleted', () => consumerFacts(consumer, this, this.#host.name));
  }

  wake(): void {
    if (!this.deferred && this.#readers.count > 0) this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  used(): void {
    if (!this.deleted) this.#log.retain();
  }

  delete(): void {
    this.deleted = true;
    this.#log.forget();
    for (const consumer of this.#readers.consumers) {
      this.#readers.remove(consumer);
      consumer.cancelled(this);
    }
  }

  /** The end of a turn: hands out what is durable while consumers have credit, up to the budget. */
  runInTurn(): void {
    if (this.#readers.serve()) this.wake();
    else if (this.#log.durableEnd < this.#log.nextPosition) this.#serveLater();
  }

  /** What has just come is shown when it is durable. */
  #serveLater(): void {
    if (this.#readers.count === 0) return;
    if (this.#host.logs.store.keepsMessages) this.#host.durableWaiters.add(this.#durable);
    else this.wake();
  }

  #deliver(consumer: Consumer, record: RecordReader, filter: StreamFilter | undefined): number {
    if (filter !== undefined && !this.#matches(record, filter)) return 0;
    this.#shownOffset.show(record);
    this.unackedCount++;
    this.counters.delivered++;
    if (consumer.origin !== undefined) this.#host.tracer?.delivered(this.name, record, consumer.origin);
    consumer.deliver(this, record);
    return record.bodyEnd - record.bodyStart;
  }

  #matches(record: RecordReader, { values, matchUnfiltered }: StreamFilter): boolean {
    const { bytes, propertiesStart, propertiesEnd } = record;
    const value = this.#host.properties.textHeader(bytes, propertiesStart, propertiesEnd, FILTER_VALUE);
    return value === undefined ? matchUnfiltered : values.has(value);
  }

  #positionOf(offset: StreamOffset): number {
    const log = this.#log;
    switch (offset.kind) {
      case 'first':
        return log.firstPosition;
      case 'last':
        return log.lastChunkPosition;
      case 'next':
        return log.nextPosition;
      case 'offset':
        return Math.max(offset.offset + 1, log.firstPosition);
      case 'timestamp':
        return log.positionAt(offset.timeMs);
      case 'age':
        return log.positionAt(this.#host.logs.clock.wallTime() - offset.ageMs);
    }
  }

  #refusal(text: string): BrokerError {
    return new BrokerError('not-implemented', `${text} ${describeQueue(this.name, this.#host.name)}`);
  }
}

function limitsOf(settings: QueueSettings): StreamLimits {
  return {
    maxLengthBytes: settings.maxLengthBytes,
    maxAgeMs: settings.maxAgeMs,
    maxSegmentBytes: settings.streamMaxSegmentSizeBytes ?? DEFAULT_SEGMENT_BYTES,
    filterSizeBytes: settings.streamFilterSizeBytes ?? DEFAULT_FILTER_BYTES,
  };
}

function filterValueReader({ properties }: QueueHost) {
  return (bytes: Uint8Array, start: number, end: number) => properties.textHeader(bytes, start, end, FILTER_VALUE);
}
