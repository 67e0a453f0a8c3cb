import { describe, expect, it } from 'vitest';
import { CommandAssembler } from '../../../../protocol/amqp/command-assembler.js';
import { FrameType } from '../../../../protocol/amqp/constants.gen.js';
import { MethodId } from '../../../../protocol/amqp/methods.gen.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';

function payload(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.finished();
}

const PUBLISH = payload((writer) => {
  writer.u32(MethodId.BasicPublish);
  writer.raw(Uint8Array.of(0, 0, 0, 1, 0x71, 0));
});

const header = (bodySize: number) =>
  payload((writer) => {
    writer.u32(60 << 16);
    writer.u64(bodySize);
    writer.u16(0);
  });

function assembled(bodySize: number, frames: readonly Uint8Array[], keepUpTo = 1_000_000): CommandAssembler {
  const assembler = new CommandAssembler(keepUpTo);
  const all: [number, Uint8Array][] = [
    [FrameType.method, PUBLISH],
    [FrameType.header, header(bodySize)],
    ...frames.map((frame): [number, Uint8Array] => [FrameType.body, frame]),
  ];
  const complete = all.map(([type, bytes]) => assembler.accept(type, bytes, 0, bytes.length));
  expect(complete).toEqual(all.map((_, index) => index === all.length - 1));
  return assembler;
}

describe('CommandAssembler', () => {
  it('puts a body together from its frames, empty ones among them', () => {
    const assembler = assembled(5, [Buffer.from('ab'), new Uint8Array(0), Buffer.from('cde')]);
    const { body, bodyStart, bodyEnd } = assembler;
    expect(Buffer.from(body.subarray(bodyStart, bodyEnd)).toString()).toBe('abcde');
  });

  it('counts a body that is larger than what it keeps, and keeps none of it', () => {
    const assembler = assembled(6, [Buffer.from('abc'), Buffer.from('def')], 5);
    expect([assembler.bodySize, assembler.body.length]).toEqual([6, 0]);
  });

  it('grows with what arrives, not with what is announced', () => {
    const assembler = new CommandAssembler(100_000_000);
    assembler.accept(FrameType.method, PUBLISH, 0, PUBLISH.length);
    const announced = header(90_000_000);
    assembler.accept(FrameType.header, announced, 0, announced.length);
    assembler.accept(FrameType.body, new Uint8Array(100), 0, 100);
    expect(assembler.body.length).toBeLessThanOrEqual(65_536);
  });

  it('lets go of a content when asked, and takes the next', () => {
    const assembler = assembled(4, [Buffer.from('ab'), Buffer.from('cd')]);
    assembler.forgetContent();
    expect([assembler.body.length, assembler.properties.length, assembler.method.length]).toEqual([0, 0, 0]);
    expect(assembler.accept(FrameType.method, PUBLISH, 0, PUBLISH.length)).toBe(false);
    expect(assembler.isAssembling).toBe(true);
  });
});
