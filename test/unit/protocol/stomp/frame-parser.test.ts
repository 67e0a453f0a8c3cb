import { describe, expect, it } from 'vitest';
import { StompSyntaxError } from '../../../../protocol/stomp/errors.js';
import { StompFrameParser } from '../../../../protocol/stomp/frame-parser.js';
import { FrameCollector, parseChunks, STOMP_LIMITS, stompFrame } from '../../../support/stomp-frames.js';

function parse(text: string, limits = STOMP_LIMITS) {
  return parseChunks([Buffer.from(text, 'latin1')], limits);
}

describe('StompFrameParser', () => {
  it('reads command, headers and body', () => {
    expect(parse('SEND\ndestination:/queue/a\nfoo:bar\n\nhello\0')).toEqual([
      {
        command: 'SEND',
        headers: [
          ['destination', '/queue/a'],
          ['foo', 'bar'],
        ],
        body: 'hello',
      },
    ]);
  });

  it('skips NUL, LF and CRLF between frames', () => {
    const commands = parse('\n\r\n\0\0\nACK\n\n\0\n\n\r\nNACK\n\n\0\n').map(({ command }) => command);
    expect(commands).toEqual(['ACK', 'NACK']);
  });

  it('takes CRLF for LF in lines and leaves the body alone', () => {
    expect(parse('SEND\r\na:b\r\n\r\nx\r\ny\0')).toEqual([{ command: 'SEND', headers: [['a', 'b']], body: 'x\r\ny' }]);
  });

  it('unescapes names and values', () => {
    expect(parse('ACK\na\\cb\\\\:c\\nd\\r:e\n\n\0')[0]?.headers).toEqual([['a:b\\', 'c\nd\r:e']]);
  });

  it('keeps the first of repeated headers, those that are escaped included', () => {
    const [frame] = parse('SEND\nx:1\nx:2\ndestination:a\na\\cb:3\ndestination:b\na\\cb:4\n\n\0');
    expect(frame?.headers).toEqual([
      ['x', '1'],
      ['destination', 'a'],
      ['a:b', '3'],
    ]);
  });

  it('reads as much body as content-length says, NULs included, on SEND only', () => {
    expect(parse('SEND\ncontent-length:3\n\na\0b\0')[0]?.body).toBe('a\0b');
    expect(parse('ACK\ncontent-length:3\n\na\0').map(({ body }) => body)).toEqual(['a']);
  });

  it('trims leading blanks of values when told to', () => {
    const collector = new FrameCollector();
    const parser = new StompFrameParser(collector, STOMP_LIMITS);
    parser.trimsValues = true;
    const bytes = stompFrame('SEND', [['a', '  b ']]);
    parser.push(bytes, 0, bytes.length);
    expect(collector.frames[0]?.headers).toEqual([['a', 'b ']]);
  });

  it('numbers heads: one that is repeated keeps its number', () => {
    const numbers: number[] = [];
    const parser = new StompFrameParser({ onFrame: (frame) => numbers.push(frame.headNumber) }, STOMP_LIMITS);
    const [a, b] = [stompFrame('SEND', [['destination', 'a']], 'x'), stompFrame('SEND', [['destination', 'b']], 'xyz')];
    const bytes = Buffer.concat([a, a, b, b, stompFrame('ACK'), a]);
    parser.push(bytes, 0, bytes.length);
    expect(numbers).toEqual([1, 1, 2, 2, 0, 3]);
  });

  it('compares a head with that of the frame before, and with no other', () => {
    const sent = stompFrame('SEND', [['destination', 'a']], 'x');
    const frames = parseChunks([Buffer.concat([sent, stompFrame('ACK', [['id', '1']]), sent])]);
    expect(frames[2]).toEqual(frames[0]);
  });

  it('holds what follows while it is suspended', () => {
    const collector = new FrameCollector();
    const parser = new StompFrameParser(collector, STOMP_LIMITS);
    collector.afterEach = () => parser.suspend();
    const bytes = Buffer.concat(['A', 'B', 'C'].map((command) => stompFrame(command)));
    parser.push(bytes, 0, bytes.length);
    const counts = [collector.frames.length];
    for (let i = 0; i < 3; i++) {
      parser.resume();
      counts.push(collector.frames.length);
    }
    expect(counts).toEqual([1, 2, 3, 3]);
  });

  it.each([
    ['a carriage return within a line', 'SEND\na:b\rc\n\n\0'],
    ['a carriage return between frames', '\rSEND\n\n\0'],
    ['a header without a colon', 'SEND\nab\n\n\0'],
    ['an unknown escape', 'SEND\na:b\\t\n\n\0'],
    ['a backslash at the end of a value', 'SEND\na:b\\\n\n\0'],
    ['a backslash at the end of a name', 'SEND\na\\:b\n\n\0'],
    ['something but NUL behind the body', 'SEND\ncontent-length:1\n\nab\0'],
    ['a content-length that is no number', 'SEND\ncontent-length:x\n\n\0'],
    ['a negative content-length', 'SEND\ncontent-length:-1\n\n\0'],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(StompSyntaxError);
  });

  it.each([
    ['too many headers', { headers: 2 }, 'SEND\na:1\nb:2\nc:3\n\n\0'],
    ['headers that are too long', { headBytes: 10 }, 'SEND\na:12345678'],
    ['a line that is too long', { headBytes: 10 }, 'SENDSENDSEND'],
    ['a frame that announces too much', { frameBytes: 100 }, 'SEND\ncontent-length:90\n\n'],
    ['a body that is too long', { frameBytes: 20 }, 'SEND\n\n0123456789012345'],
  ])('refuses %s before it is complete', (_, limits, text) => {
    expect(() => parse(text, { ...STOMP_LIMITS, ...limits })).toThrow(StompSyntaxError);
    const bytes = Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte));
    expect(() => parseChunks(bytes, { ...STOMP_LIMITS, ...limits })).toThrow(StompSyntaxError);
  });

  it('takes what is just within the limits', () => {
    const text = 'SEND\na:1\n\nxyz\0';
    const limits = { headers: 1, headBytes: 10, frameBytes: 13 };
    expect(parse(text, limits)).toHaveLength(1);
    expect(() => parse(text, { ...limits, headBytes: 9 })).toThrow(StompSyntaxError);
    expect(() => parse(text, { ...limits, frameBytes: 12 })).toThrow(StompSyntaxError);
  });
});
