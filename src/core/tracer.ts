/**
 * The firehose: while a virtual host is traced, each message that clients publish to it, and each that they get, is
 * published to `amq.rabbitmq.trace` as well, with the facts in its headers (https://www.rabbitmq.com/docs/firehose). What
 * goes to or comes from that exchange is not traced.
 */
import type { Exchange } from './exchange/exchange.js';
import type { RoutedMessage } from './exchange/exchange-type.js';
import { EMPTY_TABLE, type FieldTable, type FieldValue } from './field-value.js';
import { hiddenKeysStart, type RecordReader, RecordSource } from './log/record.js';
import type { Properties, PropertiesCodec } from './ports/properties-codec.js';
import { type MessageTarget, PublishOutcome } from './queue/queue.js';
import type { RouteWalk } from './router.js';
import { routeOf, shortstrs, visibleKeys } from './routing-parts.js';
import { type Turn, TurnPhase, type TurnTask } from './turn.js';

export const TRACE_EXCHANGE = 'amq.rabbitmq.trace';

/** Whose message it is. */
export interface Origin {
  readonly connectionName: string;
  readonly channel: number;
  readonly user: string;
}

export interface TracedHost {
  readonly name: string;
  readonly turn: Turn;
  readonly nodeName: string;
  readonly properties: PropertiesCodec;
  findExchange(name: string): Exchange | undefined;
  route(exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): RouteWalk;
  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void;
}

interface Report {
  readonly routingKey: string;
  readonly headers: FieldTable;
  readonly body: Uint8Array;
}

export class Tracer implements TurnTask {
  deferred = false;
  readonly #host: TracedHost;
  readonly #outcome = new PublishOutcome();
  /** Published at the end of the turn: what is reported may be in the middle of being delivered. */
  #reports: Report[] = [];

  constructor(host: TracedHost) {
    this.#host = host;
  }

  /** A target that reports a publish when it is delivered; undefined for what goes to the trace itself. */
  ofPublish(
    exchange: string,
    keys: readonly string[],
    targets: readonly MessageTarget[],
    origin: Origin,
  ): MessageTarget | undefined {
    if (exchange === TRACE_EXCHANGE) return undefined;
    const queues = targets.flatMap(({ name }) => (name === undefined ? [] : [text(name)]));
    return {
      enqueue: (source) => {
        const properties = this.#decode(source.properties, source.propertiesStart, source.propertiesEnd);
        const message = this.#messageHeaders(exchange, keys, properties);
        this.#report({
          routingKey: `publish.${exchange}`,
          headers: [...message, ...this.#originHeaders(origin), ['routed_queues', { type: 'A', value: queues }]],
          body: source.body.slice(source.bodyStart, source.bodyEnd),
        });
      },
    };
  }

  delivered(queue: string, record: RecordReader, origin: Origin): void {
    const [exchange = '', routingKey = ''] = shortstrs(record.bytes, record.routeStart, record.routeEnd);
    if (exchange === TRACE_EXCHANGE) return;
    const properties = this.#decode(record.bytes, record.propertiesStart, record.propertiesEnd);
    const hidden = shortstrs(record.bytes, hiddenKeysStart(record), record.extensionEnd);
    const keys = [routingKey, ...visibleKeys(properties.headers), ...hidden];
    const redelivered: FieldValue = { type: 'I', value: record.redelivered ? 1 : 0 };
    this.#report({
      routingKey: `deliver.${queue}`,
      headers: [
        ...this.#messageHeaders(exchange, keys, properties),
        ['redelivered', redelivered],
        ...this.#originHeaders(origin),
      ],
      body: record.body.slice(record.bodyStart, record.bodyEnd),
    });
  }

  runInTurn(): void {
    const reports = this.#reports;
    this.#reports = [];
    const exchange = this.#host.findExchange(TRACE_EXCHANGE);
    if (exchange !== undefined) for (const report of reports) this.#publish(exchange, report);
  }

  #report(report: Report): void {
    this.#reports.push(report);
    this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  #publish(exchange: Exchange, { routingKey, headers, body }: Report): void {
    const { targets } = this.#host.route(exchange, { routingKey, headers, property: () => undefined }, []);
    if (targets.length === 0) return;
    const source = new RecordSource();
    source.route = routeOf(exchange.name, routingKey);
    source.routeEnd = source.route.length;
    source.properties = this.#host.properties.encode({ headers });
    source.propertiesEnd = source.properties.length;
    source.body = body;
    source.bodyEnd = body.length;
    this.#outcome.reset();
    this.#host.deliver(targets, source, this.#outcome);
  }

  #decode(bytes: Uint8Array, start: number, end: number): Properties {
    return this.#host.properties.decode(bytes, start, end);
  }

  #messageHeaders(exchange: string, keys: readonly string[], properties: Properties): FieldTable {
    return [
      ['exchange_name', text(exchange)],
      ['routing_keys', { type: 'A', value: keys.map(text) }],
      ['properties', { type: 'F', value: propertiesTable(properties) }],
      ['node', text(this.#host.nodeName)],
    ];
  }

  #originHeaders({ connectionName, channel, user }: Origin): FieldTable {
    return [
      ['vhost', text(this.#host.name)],
      ['connection', text(connectionName)],
      ['channel', { type: 'I', value: channel }],
      ['user', text(user)],
    ];
  }
}

/** Properties under their names in the protocol; there are always headers. */
function propertiesTable(properties: Properties): FieldTable {
  const { headers = EMPTY_TABLE, ...others } = properties;
  const entries = Object.entries(others).flatMap(([name, value]) => {
    const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return value === undefined ? [] : [[key, fieldOf(value)] as const];
  });
  return [...entries, ['headers', { type: 'F', value: headers }]];
}

function fieldOf(value: unknown): FieldValue {
  if (typeof value === 'bigint') return { type: 'T', value };
  return typeof value === 'number' ? { type: 'I', value } : text(String(value));
}

function text(value: string): FieldValue {
  return { type: 'S', value };
}
