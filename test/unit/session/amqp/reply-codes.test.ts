import { describe, expect, it } from 'vitest';
import { FrameError } from '../../../../protocol/amqp/errors.js';
import { MethodId } from '../../../../protocol/amqp/methods.gen.js';
import { MalformedError } from '../../../../protocol/errors.js';
import { BrokerError, type BrokerErrorKind } from '../../../../src/errors.js';
import { toAmqpError } from '../../../../src/session/amqp/reply-codes.js';
import { UndecodableContent } from '../../../../src/session/shared/content.js';

function textOf(message: string): string {
  return toAmqpError(new BrokerError('not-found', message), 0).text;
}

describe('an error on the wire', () => {
  it.each<[BrokerErrorKind, number, string, boolean]>([
    ['access-refused', 403, 'ACCESS_REFUSED', false],
    ['channel-error', 504, 'CHANNEL_ERROR', true],
    ['command-invalid', 503, 'COMMAND_INVALID', true],
    ['connection-forced', 320, 'CONNECTION_FORCED', true],
    ['frame-error', 501, 'FRAME_ERROR', true],
    ['not-allowed', 530, 'NOT_ALLOWED', true],
    ['not-found', 404, 'NOT_FOUND', false],
    ['not-implemented', 540, 'NOT_IMPLEMENTED', true],
    ['precondition-failed', 406, 'PRECONDITION_FAILED', false],
    ['resource-error', 506, 'RESOURCE_ERROR', true],
    ['resource-locked', 405, 'RESOURCE_LOCKED', false],
    ['syntax-error', 502, 'SYNTAX_ERROR', true],
    ['unexpected-frame', 505, 'UNEXPECTED_FRAME', true],
  ])('%s is %d %s', (kind, code, name, hard) => {
    const answer = toAmqpError(new BrokerError(kind, 'why'), MethodId.QueueDeclare);
    expect(answer).toEqual({ code, text: `${name} - why`, hard, classId: 50, methodId: 10 });
  });

  it('takes the method from a framing error itself', () => {
    const error = new FrameError('unexpected-frame', 'why', 60, 40);
    const expected = { code: 505, text: 'UNEXPECTED_FRAME - why', hard: true, classId: 60, methodId: 40 };
    expect(toAmqpError(error, MethodId.QueueDeclare)).toEqual(expected);
    const without = toAmqpError(new FrameError('frame-error', 'why'), MethodId.QueueDeclare);
    expect([without.code, without.classId, without.methodId]).toEqual([501, 0, 0]);
  });

  it('closes the connection for bytes that do not decode', () => {
    const answer = toAmqpError(new MalformedError('why'), MethodId.BasicQos);
    expect(answer).toEqual({ code: 501, text: 'FRAME_ERROR - why', hard: true, classId: 60, methodId: 10 });
  });

  it('names no method when it is its own failure, and says nothing of what it was', () => {
    const content = toAmqpError(new UndecodableContent('why'), MethodId.BasicPublish);
    expect([content.code, content.hard, content.classId, content.methodId]).toEqual([541, true, 0, 0]);
    const cause = new TypeError('secret');
    const answer = toAmqpError(cause, MethodId.BasicPublish);
    expect(answer).toEqual({ code: 541, text: 'INTERNAL_ERROR', hard: true, classId: 0, methodId: 0, cause });
  });
});

describe('a reply text', () => {
  // 'NOT_FOUND - ' has 12 bytes.
  it('is whole at 255 bytes', () => {
    const message = 'a'.repeat(243);
    expect(textOf(message)).toBe(`NOT_FOUND - ${message}`);
    expect(Buffer.byteLength(textOf(message))).toBe(255);
  });

  it('is cut to 252 bytes and an ellipsis above', () => {
    expect(textOf('a'.repeat(244))).toBe(`NOT_FOUND - ${'a'.repeat(240)}...`);
    expect(textOf('a'.repeat(10_000))).toBe(`NOT_FOUND - ${'a'.repeat(240)}...`);
  });

  it.each([
    ['é', 2],
    ['€', 3],
    ['🐇', 4],
  ])('is cut at a whole %s', (character, bytes) => {
    for (let shift = 0; shift < bytes; shift++) {
      const text = textOf('a'.repeat(shift) + character.repeat(200));
      const length = Buffer.byteLength(text);
      expect(length).toBeLessThanOrEqual(255);
      expect(length).toBeGreaterThan(255 - bytes);
      expect(text.endsWith(`${character}...`)).toBe(true);
      expect(text).not.toContain('\ufffd');
    }
  });

  it('counts bytes, not characters', () => {
    const message = 'é'.repeat(121);
    expect(textOf(message)).toBe(`NOT_FOUND - ${message}`);
    expect(textOf(`${message}a`)).toBe(`NOT_FOUND - ${message}a`);
    expect(textOf(`${message}ab`).endsWith('é...')).toBe(true);
  });

  it('stays within its limit for halves of surrogate pairs', () => {
    expect(Buffer.byteLength(textOf('\ud83d'.repeat(300)))).toBeLessThanOrEqual(255);
  });
});
