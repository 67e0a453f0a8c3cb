/**
 * Header values as RabbitMQ reads them: booleans, integers, lists. What it cannot read is a processing error.
 */
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { type HeaderName, headerId } from '../../../protocol/stomp/names.js';
import { processingError } from './errors.js';

/** Undefined when the header is absent or neither. */
export function booleanHeader(frame: StompFrame, name: HeaderName): boolean | undefined {
  switch (frame.text(headerId(name))) {
    case 'true':
    case 'True':
      return true;
    case 'false':
    case 'False':
      return false;
    default:
      return undefined;
  }
}

/** Undefined when the header is absent. */
export function integerHeader(frame: StompFrame, name: HeaderName): number | undefined {
  const text = frame.text(headerId(name));
  if (text === undefined) return undefined;
  const value = parseInteger(text);
  if (!Number.isSafeInteger(value)) throw processingError();
  return value;
}

/** NaN when it is none. */
export function parseInteger(text: string): number {
  return /^ *[+-]?[0-9]+ *$/.test(text) ? Number(text) : Number.NaN;
}

export function isDurable(frame: StompFrame): boolean {
  return booleanHeader(frame, 'durable') === true || booleanHeader(frame, 'persistent') === true;
}
