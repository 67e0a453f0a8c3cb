/**
 * Frames that are sent as a whole: few headers, a short body or none. A message's frame is written in place by the
 * session, with the same escapes. Behind each frame comes one line feed, as from RabbitMQ.
 */
import { Buffer } from 'node:buffer';
import type { ByteWriter } from '../byte-writer.js';
import { escapedSize, escapeTo } from './header-escaping.js';

export type HeaderValue = string | Uint8Array;

const LF = 0x0a;
const COLON = 0x3a;
const NO_BODY = new Uint8Array(0);

/** An empty body has no content-length. */
export function writeFrame(
  writer: ByteWriter,
  command: string,
  headers: readonly (readonly [name: string, value: HeaderValue])[],
  body: Uint8Array = NO_BODY,
): void {
  writer.raw(Buffer.from(`${command}\n`));
  for (const [name, value] of headers) {
    writer.raw(escaped(Buffer.from(name)));
    writer.u8(COLON);
    writer.raw(escaped(typeof value === 'string' ? Buffer.from(value) : value));
    writer.u8(LF);
  }
  if (body.length > 0) writer.raw(Buffer.from(`content-length:${body.length}\n`));
  writer.u8(LF);
  writer.raw(body);
  writer.u8(0);
  writer.u8(LF);
}

/** A copy with its escapes. */
export function escaped(bytes: Uint8Array): Uint8Array {
  const target = new Uint8Array(escapedSize(bytes, 0, bytes.length));
  escapeTo(target, 0, bytes, 0, bytes.length);
  return target;
}
