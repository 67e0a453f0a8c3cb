/**
 * Frames as they are on the wire, in and out: what `WireClient` reads and sends. It knows the layout of a frame and of
 * a content header and nothing about connections, so that a test can also build frames no client would send.
 */
import { Buffer } from 'node:buffer';
import { FRAME_END, FrameType } from '../../protocol/amqp/constants.gen.js';
import { decodeMethod, type Method, writeMethod } from '../../protocol/amqp/methods.gen.js';
import { decodeProperties, encodeProperties, type MessageProperties } from '../../protocol/amqp/properties.js';
import { type Argument, CLASSES } from '../../protocol/amqp/spec.js';
import { ByteReader } from '../../protocol/byte-reader.js';
import { ByteWriter } from '../../protocol/byte-writer.js';

export const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

const FRAME_OVERHEAD = 8;
const HEADER_OVERHEAD = 12;

type MethodName = Method['name'];
export type MethodNamed<N extends MethodName> = Extract<Method, { name: N }>;

/** A method of which the arguments left out are zero, false or empty. */
export type Sendable = {
  [N in MethodName]: { readonly name: N } & Partial<Omit<MethodNamed<N>, 'name'>>;
}[MethodName];

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

export interface ContentHeader {
  readonly bodySize: number;
  readonly properties: MessageProperties;
  /** The property flags and list as they came. */
  readonly propertyBytes: Buffer;
}

export function frame(type: number, channel: number, payload: Uint8Array, end: number = FRAME_END): Buffer {
  const bytes = Buffer.alloc(FRAME_OVERHEAD + payload.length);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.set(payload, 7);
  bytes.writeUInt8(end, 7 + payload.length);
  return bytes;
}

export function methodFrame(channel: number, method: Sendable): Buffer {
  const writer = new ByteWriter(256);
  writeMethod(writer, channel, { ...emptyArguments(method.name), ...method } as Method);
  return Buffer.from(writer.finished());
}

/** A method frame of any ids and argument bytes, known or not. */
export function rawMethodFrame(channel: number, classId: number, methodId: number, args: Uint8Array): Buffer {
  const payload = Buffer.alloc(4 + args.length);
  payload.writeUInt16BE(classId, 0);
  payload.writeUInt16BE(methodId, 2);
  payload.set(args, 4);
  return frame(FrameType.method, channel, payload);
}

export interface ContentHeaderFields {
  readonly bodySize: number;
  readonly properties?: MessageProperties | Uint8Array;
  readonly classId?: number;
  readonly weight?: number;
}

export function headerFrame(channel: number, fields: ContentHeaderFields): Buffer {
  const { bodySize, properties = {}, classId = 60, weight = 0 } = fields;
  const list = properties instanceof Uint8Array ? properties : encodeProperties(properties);
  const payload = Buffer.alloc(HEADER_OVERHEAD + list.length);
  payload.writeUInt16BE(classId, 0);
  payload.writeUInt16BE(weight, 2);
  payload.writeBigUInt64BE(BigInt(bodySize), 4);
  payload.set(list, HEADER_OVERHEAD);
  return frame(FrameType.header, channel, payload);
}

export function bodyFrame(channel: number, body: Uint8Array): Buffer {
  return frame(FrameType.body, channel, body);
}

export function readMethod(payload: Buffer): Method {
  const method = decodeMethod(payload.readUInt32BE(0), new ByteReader(payload, 4));
  if (method === undefined) throw new Error(`unknown method ${payload.toString('hex')}`);
  return method;
}

export function readContentHeader(payload: Buffer): ContentHeader {
  return {
    bodySize: Number(payload.readBigUInt64BE(4)),
    properties: decodeProperties(payload, HEADER_OVERHEAD, payload.length),
    propertyBytes: Buffer.from(payload.subarray(HEADER_OVERHEAD)),
  };
}

/** Cuts what the peer sent into frames; a protocol header (the peer's "speak this instead") is handed over apart. */
export class FrameCutter {
  private rest: Buffer = Buffer.alloc(0);
  private readonly onFrame: (frame: Frame) => void;
  private readonly onProtocolHeader: (bytes: Buffer) => void;

  constructor(onFrame: (frame: Frame) => void, onProtocolHeader: (bytes: Buffer) => void) {
    this.onFrame = onFrame;
    this.onProtocolHeader = onProtocolHeader;
  }

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= FRAME_OVERHEAD) {
      if (this.rest[0] === PROTOCOL_HEADER[0]) this.onProtocolHeader(this.take(FRAME_OVERHEAD));
      else if (!this.cutFrame()) return;
    }
  }

  private cutFrame(): boolean {
    const size = this.rest.readUInt32BE(3);
    if (this.rest.length < FRAME_OVERHEAD + size) return false;
    const bytes = this.take(FRAME_OVERHEAD + size);
    if (bytes[7 + size] !== FRAME_END) throw new Error(`the peer sent a frame without its end octet: ${hex(bytes)}`);
    this.onFrame({ type: bytes.readUInt8(0), channel: bytes.readUInt16BE(1), payload: bytes.subarray(7, 7 + size) });
    return true;
  }

  private take(size: number): Buffer {
    const bytes = this.rest.subarray(0, size);
    this.rest = this.rest.subarray(size);
    return bytes;
  }
}

function hex(bytes: Buffer): string {
  return bytes.subarray(0, 32).toString('hex');
}

const ARGUMENTS = new Map<string, readonly Argument[]>(
  CLASSES.flatMap(({ name, methods }) =>
    methods.map((method) => [`${name}.${method.name}`, method.arguments] as const),
  ),
);

function emptyArguments(name: MethodName): Record<string, unknown> {
  const given = (ARGUMENTS.get(name) ?? []).filter((argument) => !argument.reserved);
  return Object.fromEntries(given.map((argument) => [argument.name, emptyValue(argument.domain)]));
}

function emptyValue(domain: Argument['domain']): unknown {
  switch (domain) {
    case 'bit':
      return false;
    case 'shortstr':
      return '';
    case 'longstr':
      return Buffer.alloc(0);
    case 'table':
      return [];
    default:
      return 0;
  }
}
