/**
 * The event exchange (RabbitMQ's rabbitmq_event_exchange): each event of the broker as a message without a body whose
 * routing key is the event and whose headers are the facts, published to `amq.rabbitmq.event` of one virtual host.
 * https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_event_exchange
 */
import type { Clock } from '../clock.js';
import type { EventKey, Events } from './events.js';
import type { FieldTable } from './field-value.js';
import { RecordSource } from './log/record.js';
import { PublishOutcome } from './queue/queue.js';
import { routeOf } from './routing-parts.js';
import { TurnPhase, type TurnTask } from './turn.js';
import type { VirtualHost } from './virtual-host.js';

const NAME = 'amq.rabbitmq.event';
const PERSISTENT = 2;

export class EventExchange implements TurnTask {
  deferred = false;
  readonly #host: VirtualHost;
  readonly #clock: Clock;
  readonly #outcome = new PublishOutcome();
  /** Published at the end of the turn: what is reported may be in the middle of happening. */
  #waiting: (readonly [EventKey, FieldTable])[] = [];

  /** The exchange stays when the broker is started without this the next time, as it does without the plugin. */
  constructor(host: VirtualHost, events: Events, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    host.declareSystemExchange(NAME, 'topic');
    events.listen((key, facts) => {
      this.#waiting.push([key, [...facts, ['timestamp_in_ms', { type: 'l', value: BigInt(clock.wallTime()) }]]]);
      host.turn.defer(TurnPhase.Dispatch, this);
    });
  }

  runInTurn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [key, facts] of waiting) this.#publish(key, facts);
  }

  #publish(key: EventKey, headers: FieldTable): void {
    const host = this.#host;
    const exchange = host.findExchange(NAME);
    if (exchange === undefined) return;
    const { targets } = host.route(exchange, { routingKey: key, headers, property: () => undefined }, []);
    if (targets.length === 0) return;
    const timestamp = BigInt(Math.floor(this.#clock.wallTime() / 1000));
    const source = new RecordSource();
    source.route = routeOf(NAME, key);
    source.routeEnd = source.route.length;
    source.properties = host.properties.encode({ headers, timestamp, deliveryMode: PERSISTENT });
    source.propertiesEnd = source.properties.length;
    source.persistent = true;
    this.#outcome.reset();
    host.deliver(targets, source, this.#outcome);
  }
}
