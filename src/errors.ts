/**
 * The one error that the core and auth throw for something a client asked and may not have. A session maps the kind
 * to its protocol's own answer (`session/amqp/reply-codes.ts`); anything else thrown is a bug and becomes
 * `internal-error` there.
 */

export type BrokerErrorKind =
  | 'access-refused'
  | 'channel-error'
  | 'command-invalid'
  | 'connection-forced'
  | 'frame-error'
  | 'internal-error'
  | 'not-allowed'
  | 'not-found'
  | 'not-implemented'
  | 'precondition-failed'
  | 'resource-error'
  | 'resource-locked'
  | 'syntax-error'
  | 'unexpected-frame';

export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly kind: BrokerErrorKind;

  /** `text` is what the peer reads after the kind's name, so it follows RabbitMQ's wording to the letter. */
  constructor(kind: BrokerErrorKind, text: string) {
    super(text);
    this.kind = kind;
  }
}

/** Ends an exhaustive `switch`: the compiler refuses the call when a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}
