/**
 * A virtual host as it will be after an import: what is there, and what the file brings.
 */
import type { ExchangeType } from '../core/exchange/exchange-type.js';
import { exchangeType } from '../core/exchange/registry.js';
import type { JsonValue } from '../core/json-value.js';
import { isReached, limitsFromJson, VIRTUAL_HOST_LIMITS } from '../core/limits.js';
import { describeExchange, describeQueue } from '../core/names.js';
import { PREDECLARED, type VirtualHost } from '../core/virtual-host.js';
import { BrokerError } from '../errors.js';

export class VirtualHostPlan {
  readonly name: string;
  defaultQueueType: string | undefined;
  /** New ones. */
  readonly exchanges = new Map<string, ExchangeType>();
  readonly queues = new Set<string>();
  /** In the file, and not taken. */
  readonly skippedQueues = new Set<string>();
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

  /** Throws BrokerError('not-found'). */
  assertDestination(kind: 'queue' | 'exchange', name: string): void {
    const known = kind === 'queue' ? this.hasQueue(name) : this.exchangeType(name) !== undefined;
    if (known) return;
    const described = kind === 'queue' ? describeQueue(name, this.name) : describeExchange(name, this.name);
    throw new BrokerError('not-found', `no ${described}`);
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
