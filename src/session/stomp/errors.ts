/**
 * What goes wrong in STOMP's own terms, and how errors of the broker read there (SEMANTICS 4.3).
 */
import { BrokerError } from '../../errors.js';

/** An ERROR frame. The connection goes on unless it says otherwise. */
export class StompError extends Error {
  override readonly name = 'StompError';
  /** The `message` header; the error's own message is the body. */
  readonly summary: string;
  readonly closes: boolean;

  constructor(summary: string, detail: string, closes = false) {
    super(detail);
    this.summary = summary;
    this.closes = closes;
  }
}

/** RabbitMQ's answer wherever a header's value makes no sense to it. */
export function processingError(): StompError {
  return new StompError('Processing error', 'Processing error');
}

/** `not_found` and `NOT_FOUND - no queue 'q' in vhost '/'`: what would close a channel closes the connection here. */
export function fromBrokerError(error: BrokerError): StompError {
  const name = error.kind.replaceAll('-', '_');
  return new StompError(name, `${name.toUpperCase()} - ${error.message}`, true);
}

/** Anything thrown while a frame was handled. What is our mistake closes the connection. */
export function toStompError(error: unknown): StompError {
  if (error instanceof StompError) return error;
  if (error instanceof BrokerError) return fromBrokerError(error);
  return new StompError('internal_error', 'INTERNAL_ERROR', true);
}
