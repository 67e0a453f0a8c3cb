/** The header and body frames of a message, as a publisher sends them. */
import { FRAME_END, FrameType } from '../../protocol/amqp/constants.gen.js';
import { encodeProperties, type MessageProperties } from '../../protocol/amqp/properties.js';
import type { ByteWriter } from '../../protocol/byte-writer.js';

const BASIC_CLASS = 60;
const CONTENT_HEADER_BYTES = 12;
/** Frame header and end octet. */
export const FRAME_OVERHEAD_BYTES = 8;

/** The body is cut into frames of at most `frameMax` bytes. */
export function writeContent(
  writer: ByteWriter,
  channel: number,
  properties: MessageProperties,
  body: Uint8Array,
  frameMax: number,
): void {
  const encoded = encodeProperties(properties);
  beginFrame(writer, FrameType.header, channel, CONTENT_HEADER_BYTES + encoded.length);
  writer.u16(BASIC_CLASS);
  writer.u16(0);
  writer.u64(body.length);
  writer.raw(encoded);
  writer.u8(FRAME_END);
  const most = frameMax - FRAME_OVERHEAD_BYTES;
  for (let at = 0; at < body.length; at += most) {
    const part = body.subarray(at, at + most);
    beginFrame(writer, FrameType.body, channel, part.length);
    writer.raw(part);
    writer.u8(FRAME_END);
  }
}

function beginFrame(writer: ByteWriter, type: number, channel: number, size: number): void {
  writer.u8(type);
  writer.u16(channel);
  writer.u32(size);
}
