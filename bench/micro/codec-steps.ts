/** Bytes to values and back: what a publisher sends, what a consumer acknowledges, what the broker answers. */
import { FRAME_END, FrameType } from '../../protocol/amqp/constants.gen.js';
import { table } from '../../protocol/amqp/field-table.js';
import { FrameParser, type FrameSink } from '../../protocol/amqp/frame-parser.js';
import { decodeBasicAck, writeBasicAck, writeBasicPublish } from '../../protocol/amqp/methods.gen.js';
import { encodeProperties, PropertiesPeek } from '../../protocol/amqp/properties.js';
import { ByteReader } from '../../protocol/byte-reader.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import type { MicroStep, PreparedStep } from './step.js';

const AREA = 'codec';
const CHUNK_BYTES = 65_536;
const FRAME_MAX_BYTES = 131_072;
/** Method id of basic.ack, behind which its arguments begin. */
const METHOD_ID_BYTES = 4;

export const CODEC_STEPS: readonly MicroStep[] = [
  ...[16, 1024].map((bodyBytes) => ({
    area: AREA,
    name: `parse a publish, ${bodyBytes} B`,
    messages: 25_000,
    prepare: () => parsePublishes(bodyBytes),
  })),
  { area: AREA, name: 'parse and decode an ack', messages: 25_000, prepare: parseAcks },
  { area: AREA, name: 'write an ack', messages: 25_000, prepare: writeAcks },
  { area: AREA, name: 'look into properties', messages: 25_000, prepare: peekIntoProperties },
];

function parsePublishes(bodyBytes: number): PreparedStep {
  const one = new ByteWriter();
  writePublish(one, bodyBytes);
  const count = Math.floor(CHUNK_BYTES / one.offset);
  const frames = repeated(one.finished(), count);
  const sink: FrameSink = { onFrame: () => {}, onPublish: () => true };
  const parser = new FrameParser(sink, FRAME_MAX_BYTES);
  return {
    run: (messages) => {
      for (let done = 0; done < messages; done += count) parser.push(frames, 0, frames.length);
    },
  };
}

function parseAcks(): PreparedStep {
  const one = new ByteWriter();
  writeBasicAck(one, 1, 1000, false);
  const count = Math.floor(CHUNK_BYTES / one.offset);
  const frames = repeated(one.finished(), count);
  const reader = new ByteReader(frames, 0, frames.length);
  const sink: FrameSink = {
    onFrame: (_type, _channel, bytes, start, end) => {
      reader.reset(bytes, start + METHOD_ID_BYTES, end);
      decodeBasicAck(reader);
    },
    onPublish: () => true,
  };
  const parser = new FrameParser(sink, FRAME_MAX_BYTES);
  return {
    run: (messages) => {
      for (let done = 0; done < messages; done += count) parser.push(frames, 0, frames.length);
    },
  };
}

function writeAcks(): PreparedStep {
  const writer = new ByteWriter(CHUNK_BYTES);
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) {
        if (writer.offset > CHUNK_BYTES / 2) writer.offset = 0;
        writeBasicAck(writer, 1, i, true);
      }
    },
  };
}

function peekIntoProperties(): PreparedStep {
  const properties = encodeProperties({
    contentType: 'application/json',
    headers: table({ tenant: 'a', attempt: 1 }),
    deliveryMode: 2,
  });
  const peek = new PropertiesPeek();
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) peek.reset(properties, 0, properties.length);
    },
  };
}

/** Method, content header and one body frame. */
function writePublish(writer: ByteWriter, bodyBytes: number): void {
  const properties = encodeProperties({});
  writeBasicPublish(writer, 1, '', 'bench', false, false);
  writer.u8(FrameType.header);
  writer.u16(1);
  writer.u32(12 + properties.length);
  writer.u32(60 << 16);
  writer.u64(bodyBytes);
  writer.raw(properties);
  writer.u8(FRAME_END);
  writer.u8(FrameType.body);
  writer.u16(1);
  writer.u32(bodyBytes);
  writer.raw(new Uint8Array(bodyBytes));
  writer.u8(FRAME_END);
}

function repeated(frame: Uint8Array, count: number): Uint8Array {
  return Buffer.alloc(frame.length * count, frame);
}
