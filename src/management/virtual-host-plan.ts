/**
 * A virtual host as it will be after an import: what is there, and what the file brings.
 */
import type { ExchangeType, KnownDestination } from '../core/exchange/exchange-type.js';
import { exchangeType } from '../core/exchange/registry.js';
import type { JsonValue } from '../core/json-value.js';
import { isReached, limitsFromJson, VIRTUAL_HOST_LIMITS } from '../core/limits.js';
import { describeExchange, describeQueue } from '../core/names.js';
import type { QueueTypeName } from '../core/queue/queue-type.js';
import { PREDECLARED, type VirtualHost } from '../core/virtual-host.js';
import { BrokerError } from '../errors.js';

export class VirtualHostPlan {
  readonly name: string;
  defaultQueueType: string | undefined;
  /** New ones. */
  readonly exchanges = new Map<string, ExchangeType>();
  readonly queues = new Map<string, QueueTypeName>();
  readonly #host: VirtualHost | undefined;
  #maxQueues: number | undefined;

  constructor(name: string, host: VirtualHost | undefined) {
    this.name = name;
    this.#host = host;
    this.defaultQueueType = host?.metadata.defaultQueueType;
    this.#maxQueues = host?.parameters.limits.maxQueues;
  }

  exchangeType(name: string): ExchangeType | undefined {
    const existing = this.exchanges.get(name) ?? this.#host?.findExchange(name)?.type;
    if (existing !== undefined) return existing;
    const [, typeName] = PREDECLARED.find(([predeclared]) => predeclared === name) ?? [];
    return typeName === undefined ? undefined : exchangeType(typeName);
  }

  hasQueue(name: string): boolean {
    return this.queues.has(name) || this.#host?.findQueue(name) !== undefined;
  }

  /** Which end of a binding will not be there for all; undefined when both will. */
  missingEnd(source: string, kind: 'queue' | 'exchange', destination: string): string | undefined {
    if (this.exchangeType(source) === undefined) return `no ${describeExchange(source, this.name)}`;
    if (kind === 'exchange') {
      const known = this.exchangeType(destination) !== undefined;
      return known ? undefined : `no ${describeExchange(destination, this.name)}`;
    }
    if (!this.hasQueue(destination)) return `no ${describeQueue(destination, this.name)}`;
    const owner = this.#host?.findQueue(destination)?.options.owner;
    return owner === undefined ? undefined : `${describeQueue(destination, this.name)} is exclusive`;
  }

  /** Of a binding without a missing end. */
  destination(kind: 'queue' | 'exchange', name: string): KnownDestination {
    const type = this.queues.get(name) ?? this.#host?.findQueue(name)?.type ?? 'classic';
    return kind === 'queue' ? { kind, queue: { name, type } } : { kind };
  }

  noteParameter(component: string, value: JsonValue): void {
    if (component === 'vhost-limits') this.#maxQueues = limitsFromJson(VIRTUAL_HOST_LIMITS, value).maxQueues;
  }

  /** Throws BrokerError('precondition-failed') when the new queues would be too many. */
  assertRoomForQueues(): void {
    const [adding, current] = [this.queues.size, this.#host?.queueCount ?? 0];
    if (adding === 0 || !isReached(this.#maxQueues, current + adding - 1)) return;
    throw new BrokerError(
      'precondition-failed',
      `Adding ${adding} queue(s) to virtual host "${this.name}" would exceed the limit of ${this.#maxQueues} ` +
        `queue(s).\n\nThis virtual host currently has ${current} queue(s) defined.\n\nImport aborted!`,
    );
  }
}
