/**
 * What is wrong with the frames of a connection. All of it is a hard error: the connection closes with this code.
 */

import type { MalformedError } from '../errors.js';

export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly kind: 'frame-error' | 'unexpected-frame';
  /** Ids of the method that was being received; 0 when there is none. */
  readonly classId: number;
  readonly methodId: number;

  constructor(kind: 'frame-error' | 'unexpected-frame', text: string, classId = 0, methodId = 0) {
    super(text);
    this.kind = kind;
    this.classId = classId;
    this.methodId = methodId;
  }
}

/** The arguments of method `id` in `bytes[start, end)` do not decode. Bad UTF-8 is reported without the method. */
export function undecodable(
  error: MalformedError,
  id: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): FrameError {
  if (error.message.startsWith('Malformed UTF-8')) return new FrameError('frame-error', error.message);
  const text = `cannot decode ${printBinary(bytes.subarray(start, end))}`;
  return new FrameError('frame-error', text, id >>> 16, id & 0xffff);
}

/** RabbitMQ's description of an offending payload: `type 9, all octets = <<"abc">>`. */
export function describePayload(type: number, bytes: Uint8Array, start: number, end: number): string {
  const shown = printBinary(bytes.subarray(start, Math.min(end, start + 16)));
  return `type ${type}, ${end - start <= 16 ? 'all' : 'first 16'} octets = ${shown}`;
}

/** As much of a binary as any reply text has room for. A frame may hold more than `fromCharCode` takes arguments. */
const PRINTED_BYTES = 256;

/** A binary as Erlang prints it: as text when all of it is printable, else as numbers. */
export function printBinary(bytes: Uint8Array): string {
  const printable = bytes.length > 0 && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  const shown = bytes.subarray(0, PRINTED_BYTES);
  return printable ? `<<"${String.fromCharCode(...shown)}">>` : `<<${Array.from(shown).join(',')}>>`;
}
