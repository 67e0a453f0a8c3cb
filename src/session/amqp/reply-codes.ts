/**
 * How an error reads on the wire: reply code, text and scope (SEMANTICS 1.11). The one place that knows.
 */

import { FrameError } from '../../../protocol/amqp/errors.js';
import { MalformedError } from '../../../protocol/errors.js';
import { BrokerError, type BrokerErrorKind } from '../../errors.js';

export interface AmqpError {
  readonly code: number;
  /** At most 255 bytes: `NOT_FOUND - no queue 'x' in vhost '/'`. */
  readonly text: string;
  /** Closes the connection; otherwise the channel. */
  readonly hard: boolean;
  readonly classId: number;
  readonly methodId: number;
  /** Set when this is our mistake: the log gets the stack. */
  readonly cause?: unknown;
}

const CODES: Readonly<Record<BrokerErrorKind, readonly [code: number, name: string, hard: boolean]>> = {
  'access-refused': [403, 'ACCESS_REFUSED', false],
  'channel-error': [504, 'CHANNEL_ERROR', true],
  'command-invalid': [503, 'COMMAND_INVALID', true],
  'connection-forced': [320, 'CONNECTION_FORCED', true],
  'frame-error': [501, 'FRAME_ERROR', true],
  'internal-error': [541, 'INTERNAL_ERROR', true],
  'not-allowed': [530, 'NOT_ALLOWED', true],
  'not-found': [404, 'NOT_FOUND', false],
  'not-implemented': [540, 'NOT_IMPLEMENTED', true],
  'precondition-failed': [406, 'PRECONDITION_FAILED', false],
  'resource-error': [506, 'RESOURCE_ERROR', true],
  'resource-locked': [405, 'RESOURCE_LOCKED', false],
  'syntax-error': [502, 'SYNTAX_ERROR', true],
  'unexpected-frame': [505, 'UNEXPECTED_FRAME', true],
};

const LONGEST_TEXT_BYTES = 255;
const ELLIPSIS = '...';

/** `method`: class id in the upper, method id in the lower 16 bits; 0 when no method failed. */
export function toAmqpError(error: unknown, method: number): AmqpError {
  if (error instanceof BrokerError) {
    const [code, name, hard] = CODES[error.kind];
    // RabbitMQ names no method for what it calls its own failure.
    const ids = error.kind === 'internal-error' ? 0 : method;
    return { code, text: cutToFit(`${name} - ${error.message}`), hard, classId: ids >>> 16, methodId: ids & 0xffff };
  }
  if (error instanceof FrameError) {
    const [code, name] = CODES[error.kind];
    const { classId, methodId } = error;
    return { code, text: cutToFit(`${name} - ${error.message}`), hard: true, classId, methodId };
  }
  if (error instanceof MalformedError) {
    return {
      code: 501,
      text: cutToFit(`FRAME_ERROR - ${error.message}`),
      hard: true,
      classId: method >>> 16,
      methodId: method & 0xffff,
    };
  }
  return { code: 541, text: 'INTERNAL_ERROR', hard: true, classId: 0, methodId: 0, cause: error };
}

/** Cuts a text to what a short string holds, at a whole character. */
function cutToFit(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST_TEXT_BYTES) return text;
  let end = LONGEST_TEXT_BYTES - ELLIPSIS.length;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + ELLIPSIS;
}
