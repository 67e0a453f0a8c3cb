/** STOMP frames for tests: written by the letter, and taken from the parser as values. */
import type { StompFrame } from '../../protocol/stomp/frame.js';
import { StompFrameParser, type StompFrameSink, type StompLimits } from '../../protocol/stomp/frame-parser.js';

export interface PlainFrame {
  readonly command: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A character a byte. */
  readonly body: string;
}

export const STOMP_LIMITS: StompLimits = { headers: 100, headBytes: 65_536, frameBytes: 4_194_304 };

/** Names, values and body as they go on the wire: nothing is escaped. */
export function stompFrame(command: string, headers: readonly (readonly [string, string])[] = [], body = ''): Buffer {
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join('');
  return Buffer.from(`${command}\n${lines}\n${body}\0`, 'latin1');
}

export function plain(frame: StompFrame): PlainFrame {
  const text = (bytes: Uint8Array, start: number, end: number) =>
    Buffer.from(bytes.subarray(start, end)).toString('latin1');
  const headers = Array.from({ length: frame.headerCount }, (_, index): [string, string] => [
    text(frame.head, frame.nameStart(index), frame.nameEnd(index)),
    text(frame.head, frame.valueStart(index), frame.valueEnd(index)),
  ]);
  return { command: frame.command, headers, body: text(frame.body, frame.bodyStart, frame.bodyEnd) };
}

/** Keeps what a parser hands over. */
export class FrameCollector implements StompFrameSink {
  readonly frames: PlainFrame[] = [];
  readonly copies: StompFrame[] = [];
  afterEach: () => void = () => {};

  onFrame(frame: StompFrame): void {
    this.frames.push(plain(frame));
    this.copies.push(frame.copy());
    this.afterEach();
  }
}

/** Every chunk is void once the parser has had it. */
export function parseChunks(chunks: readonly Uint8Array[], limits: StompLimits = STOMP_LIMITS): readonly PlainFrame[] {
  const collector = new FrameCollector();
  const parser = new StompFrameParser(collector, limits);
  for (const chunk of chunks) {
    const copy = Uint8Array.from(chunk);
    parser.push(copy, 0, copy.length);
    copy.fill(0xee);
  }
  return collector.frames;
}
