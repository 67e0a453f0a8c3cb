/**
 * The check that an argument given on a redeclaration is the one that the queue or exchange was declared with.
 */
import { BrokerError } from '../errors.js';
import { fieldTypeWord, printValue, sameValue } from './field-type-words.js';
import type { FieldValue } from './field-value.js';

/** Throws BrokerError('precondition-failed'). `resource` reads like `queue 'q' in vhost '/'`. */
export function assertEquivalentArgument(
  key: string,
  stored: FieldValue | undefined,
  received: FieldValue | undefined,
  resource: string,
): void {
  if (stored === undefined && received === undefined) return;
  if (stored !== undefined && received !== undefined && sameValue(stored, received)) return;
  throw new BrokerError(
    'precondition-failed',
    `inequivalent arg '${key}' for ${resource}: ${describeDifference(stored, received)}`,
  );
}

function describeDifference(stored: FieldValue | undefined, received: FieldValue | undefined): string {
  if (stored === undefined) return `received ${withType(received)} but current is none`;
  if (received === undefined) return `received none but current is ${withType(stored)}`;
  return `received ${quoted(received)} but current is ${quoted(stored)}`;
}

function withType(value: FieldValue | undefined): string {
  return value === undefined ? 'none' : `the value '${printValue(value)}' of type '${fieldTypeWord(value)}'`;
}

function quoted(value: FieldValue): string {
  return value.type === 'V' ? 'none' : `'${printValue(value)}'`;
}
