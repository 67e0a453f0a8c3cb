import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../protocol/byte-writer.js';
import { StompSyntaxError } from '../../protocol/stomp/errors.js';
import { StompFrameParser } from '../../protocol/stomp/frame-parser.js';
import { escaped, writeFrame } from '../../protocol/stomp/frame-writer.js';
import { unescapeTo } from '../../protocol/stomp/header-escaping.js';
import { seedOf } from '../support/random.js';
import { FrameCollector, type PlainFrame, parseChunks, plain, STOMP_LIMITS } from '../support/stomp-frames.js';

const seed = seedOf('stomp-frames');
fc.configureGlobal({ seed });

const byteText = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
/** Few enough that they repeat; any bytes but NUL, which a command read to the first NUL is ended by. */
const name = fc.oneof(fc.constantFrom('destination', 'receipt', 'foo', 'a:b', 'c\\d\n'), byteText);
const frames = fc.array(
  fc.record({
    command: fc.constantFrom('SEND', 'SEND', 'ACK', 'SUBSCRIBE', 'X'),
    headers: fc.array(fc.tuple(name, byteText), { maxLength: 6 }),
    body: fc.oneof(byteText, fc.string({ maxLength: 300 })),
    sized: fc.boolean(),
    /** Has the head of the frame so many before it; 0: its own. */
    repeats: fc.constantFrom(0, 0, 1, 1, 2),
  }),
  { maxLength: 8 },
);

/** What goes on the wire and what comes out of it. */
function written(descriptions: typeof frames extends fc.Arbitrary<infer T> ? T : never): [Buffer, PlainFrame[]] {
  const bytes: Buffer[] = [];
  const expected: PlainFrame[] = [];
  const drawnHeads: (typeof descriptions)[number][] = [];
  for (const drawn of descriptions) {
    const repeated = drawn.repeats === 0 ? undefined : drawnHeads.at(-drawn.repeats);
    const { command, headers, sized } = repeated ?? drawn;
    drawnHeads.push(repeated ?? drawn);
    const kept = headers.filter(([name], index) => headers.findIndex(([other]) => other === name) === index);
    const length = command === 'SEND' && sized && !kept.some(([name]) => name === 'content-length');
    const body = length ? drawn.body : drawn.body.replaceAll('\0', '');
    const raw = Buffer.from(body, 'latin1');
    const all: [string, string][] = length ? [...headers, ['content-length', String(raw.length)]] : [...headers];
    const lines = all.map(([name, value]) => `${escapedText(name)}:${escapedText(value)}\n`).join('');
    bytes.push(Buffer.from(`${command}\n${lines}\n`, 'latin1'), raw, Buffer.from('\0\n'));
    const shown: [string, string][] = length ? [...kept, ['content-length', String(raw.length)]] : kept;
    expected.push({ command, headers: shown, body: raw.toString('latin1') });
  }
  return [Buffer.concat(bytes), expected];
}

function escapedText(text: string): string {
  return Buffer.from(escaped(Buffer.from(text, 'latin1'))).toString('latin1');
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const fraction = fc.double({ min: 0, max: 1, noNaN: true });

describe('STOMP frames', () => {
  it('come out the same wherever the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fraction, { maxLength: 12 }), (drawn, cuts) => {
        const [bytes, expected] = written(drawn);
        expect(parseChunks(cut(bytes, cuts))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('come out the same byte by byte, and as copies that last', () => {
    fc.assert(
      fc.property(frames, (drawn) => {
        const [bytes, expected] = written(drawn);
        const collector = new FrameCollector();
        const parser = new StompFrameParser(collector, STOMP_LIMITS);
        for (const byte of bytes) parser.push(Uint8Array.of(byte), 0, 1);
        expect(collector.frames).toEqual(expected);
        expect(collector.copies.map(plain)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('come out the same however often the sink suspends', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.boolean(), { maxLength: 10 }), (drawn, suspends) => {
        const [bytes, expected] = written(drawn);
        const collector = new FrameCollector();
        const parser = new StompFrameParser(collector, STOMP_LIMITS);
        collector.afterEach = () => {
          if (suspends[collector.frames.length]) parser.suspend();
        };
        parser.push(Buffer.from(bytes), 0, bytes.length);
        for (let i = 0; i < 10; i++) parser.resume();
        expect(collector.frames).toEqual(expected);
      }),
    );
  });

  it('that are damaged end in a StompSyntaxError or in frames', () => {
    const damage = fc.array(fc.tuple(fraction, fc.constantFrom(0, 10, 13, 58, 92, 99, 255)), { maxLength: 6 });
    fc.assert(
      fc.property(frames, damage, fc.array(fraction, { maxLength: 4 }), (drawn, mutations, cuts) => {
        const [bytes] = written(drawn);
        for (const [at, value] of mutations) bytes[Math.floor(at * (bytes.length - 1))] = value;
        try {
          parseChunks(cut(bytes, cuts), { headers: 5, headBytes: 64, frameBytes: 128 });
        } catch (error) {
          expect(error).toBeInstanceOf(StompSyntaxError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('written by the writer are read by the parser', () => {
    const headers = fc.uniqueArray(fc.tuple(name, byteText), { maxLength: 8, selector: ([key]) => key });
    fc.assert(
      fc.property(headers, byteText, (drawn, body) => {
        const writer = new ByteWriter();
        const given = drawn.filter(([key]) => key !== 'content-length');
        const bytes = given.map(([key, value]) => [key, Buffer.from(value, 'latin1')] as const);
        writeFrame(
          writer,
          'SEND',
          bytes.map(([key, value]) => [key, value] as const),
          Buffer.from(body, 'latin1'),
        );
        const [frame] = parseChunks([writer.finished()]);
        const expected = given.map(([key, value]) => [Buffer.from(key).toString('latin1'), value]);
        const length = body === '' ? [] : [['content-length', String(body.length)]];
        expect(frame).toEqual({ command: 'SEND', headers: [...expected, ...length], body });
      }),
    );
  });

  it('escape any bytes so that they come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const there = escaped(bytes);
        const back = new Uint8Array(there.length);
        expect(back.subarray(0, unescapeTo(back, 0, there, 0, there.length))).toEqual(bytes);
        expect(there.some((byte) => byte === 10 || byte === 13 || byte === 58)).toBe(false);
      }),
    );
  });
});
