/** Exchanges that keep messages: a virtual host with shortcuts for declaring, publishing and looking at what came. */
import { type FieldTable, type PlainValue, table } from '../../../../protocol/amqp/field-table.js';
import { decodeProperties, encodeProperties, type MessageProperties } from '../../../../protocol/amqp/properties.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { MessageStore } from '../../../../src/core/ports/message-store.js';
import { PublishOutcome, type Queue } from '../../../../src/core/queue/queue.js';
import { type CoreEnvironment, coreEnvironment, type RecordingDefinitions } from '../../../support/core-environment.js';
import { bodyOf, sourceOf } from '../../../support/messages.js';
import { messageOf } from './routing.js';

type Settings = Readonly<Record<string, PlainValue>>;

export interface Published {
  readonly key?: string;
  readonly headers?: Settings;
  readonly body?: string;
  readonly persistent?: boolean;
  readonly expiration?: string;
  /** CC keys are taken from the headers by themselves; those of BCC are in no header any more. */
  readonly hiddenKeys?: readonly string[];
}

export interface Taken {
  readonly body: string;
  readonly route: string;
  readonly properties: MessageProperties;
}

export interface KeepingHost extends CoreEnvironment {
  declare(name: string, type: string, settings?: Settings, durable?: boolean): void;
  queue(name: string, settings?: Settings, durable?: boolean): Queue;
  bind(source: string, destination: string, key?: string, args?: FieldTable): void;
  publish(exchange: string, message?: Published): PublishOutcome;
  take(queue: Queue): Taken[];
  bodies(queue: Queue): string[];
}

export function keepingHost(store?: MessageStore, definitions?: RecordingDefinitions): KeepingHost {
  const core = coreEnvironment(store, definitions);
  const { host } = core;
  const take = (queue: Queue): Taken[] => {
    const reader = new RecordReader();
    const taken: Taken[] = [];
    while (queue.take(reader)) {
      const { bytes, routeStart, routeEnd, propertiesStart, propertiesEnd } = reader;
      taken.push({
        body: String(bodyOf(reader)),
        route: Buffer.from(bytes.subarray(routeStart, routeEnd)).toString('latin1'),
        properties: decodeProperties(bytes, propertiesStart, propertiesEnd),
      });
      queue.ack(reader.position);
    }
    return taken;
  };
  return {
    ...core,
    declare: (name, type, settings = {}, durable = false) => {
      host.declareExchange(name, type, { durable, autoDelete: false, internal: false, arguments: table(settings) });
    },
    queue: (name, settings = {}, durable = false) =>
      host.declareQueue(name, { durable, autoDelete: false, owner: undefined, arguments: table(settings) }, {}),
    bind: (source, name, key = '', args = []) => {
      const kind = host.findQueue(name) === undefined ? 'exchange' : 'queue';
      host.bind(source, { kind, name }, key, args, {});
    },
    publish: (exchange, message = {}) => publish(core, exchange, message),
    take,
    bodies: (queue) => take(queue).map(({ body }) => body),
  };
}

function publish({ host }: CoreEnvironment, exchange: string, message: Published): PublishOutcome {
  const { key: routingKey = '', headers: settings = {}, body = '', persistent = false, hiddenKeys = [] } = message;
  const headers = table(settings);
  const properties = encodeProperties({
    headers,
    deliveryMode: persistent ? 2 : 1,
    ...(message.expiration === undefined ? {} : { expiration: message.expiration }),
  });
  const source = sourceOf({ exchange, routingKey, properties, body, persistent });
  if (message.expiration !== undefined) source.expirationMs = Number(message.expiration);
  source.hiddenKeys = Buffer.concat(hiddenKeys.flatMap((key) => [Buffer.of(key.length), Buffer.from(key)]));
  const cc = settings['CC'];
  const visible = Array.isArray(cc) ? cc.map(String) : [];
  const outcome = new PublishOutcome();
  const { targets } = host.route(host.exchange(exchange), messageOf(routingKey, { headers }), [
    ...visible,
    ...hiddenKeys,
  ]);
  host.deliver([...targets], source, outcome);
  return outcome;
}
