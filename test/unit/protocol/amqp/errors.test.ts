import { describe, expect, it } from 'vitest';
import { describePayload, FrameError, printBinary, undecodable } from '../../../../protocol/amqp/errors.js';
import { MethodId } from '../../../../protocol/amqp/methods.gen.js';
import { MalformedError } from '../../../../protocol/errors.js';

describe('what an error says of the bytes', () => {
  it('prints text as text and all else as numbers', () => {
    expect(printBinary(Buffer.from('a b~'))).toBe('<<"a b~">>');
    expect(printBinary(Buffer.of(97, 10))).toBe('<<97,10>>');
    expect(printBinary(Buffer.of(0x7f))).toBe('<<127>>');
    expect(printBinary(Buffer.alloc(0))).toBe('<<>>');
  });

  it('shows at most sixteen octets of a payload', () => {
    const bytes = Buffer.from('0123456789abcdefgh');
    expect(describePayload(9, bytes, 0, 3)).toBe('type 9, all octets = <<"012">>');
    expect(describePayload(1, bytes, 0, 16)).toBe('type 1, all octets = <<"0123456789abcdef">>');
    expect(describePayload(1, bytes, 1, 18)).toBe('type 1, first 16 octets = <<"123456789abcdefg">>');
  });

  it('describes a frame full of text, whatever its size', () => {
    const size = 1024 * 1024;
    const error = undecodable(new MalformedError('x'), MethodId.QueueDeclare, Buffer.alloc(size, 'a'), 0, size);
    expect(error).toBeInstanceOf(FrameError);
    expect([error.kind, error.classId, error.methodId]).toEqual(['frame-error', 50, 10]);
    expect(error.message.startsWith(`cannot decode <<"${'a'.repeat(200)}`)).toBe(true);
    expect(error.message.length).toBeLessThan(1000);
  });

  it('takes a binary for text only when all of it is', () => {
    const bytes = Buffer.alloc(1000, 'a');
    bytes[999] = 0;
    expect(printBinary(bytes).startsWith('<<97,97,97')).toBe(true);
  });

  it('names no method for bad UTF-8', () => {
    const error = undecodable(
      new MalformedError('Malformed UTF-8 in shortstr'),
      MethodId.QueueDeclare,
      Buffer.of(1),
      0,
      1,
    );
    expect([error.message, error.classId, error.methodId]).toEqual(['Malformed UTF-8 in shortstr', 0, 0]);
  });
});
