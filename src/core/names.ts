/**
 * Names of queues, exchanges and consumers: which are reserved, how the broker makes its own, and how error texts
 * refer to them.
 */
import { randomBytes } from 'node:crypto';

/** Client libraries recognise server-named queues by prefix and by the 22 characters (128 random bits) after it. */
export function generatedName(prefix: 'amq.gen-' | 'amq.ctag-'): string {
  return prefix + randomBytes(16).toString('base64url');
}

/** RabbitMQ drops line breaks from declared names instead of refusing them. */
export function stripLineBreaks(name: string): string {
  return name.replace(/[\r\n]/g, '');
}

export function isReserved(name: string): boolean {
  return name.startsWith('amq.');
}

export function describeQueue(name: string, virtualHost: string): string {
  return `queue '${name}' in vhost '${virtualHost}'`;
}

export function describeExchange(name: string, virtualHost: string): string {
  return `exchange '${name}' in vhost '${virtualHost}'`;
}
