/**
 * A binding from a source exchange to a queue or an exchange. Its identity is source, destination, kind, routing key
 * and arguments: the same again is the same binding (SEMANTICS 2.4).
 */
import type { Exchange } from './exchange/exchange.js';
import type { FieldTable } from './field-value.js';
import type { Queue } from './queue/queue.js';

export type BindingDestination =
  | { readonly kind: 'queue'; readonly queue: Queue }
  | { readonly kind: 'exchange'; readonly exchange: Exchange };

export interface Binding {
  readonly source: Exchange;
  readonly destination: BindingDestination;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

export function destinationName(destination: BindingDestination): string {
  return destination.kind === 'queue' ? destination.queue.name : destination.exchange.name;
}
