import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldTable, type FieldValue, readTable, writeTable } from '../../protocol/amqp/field-table.js';
import { decodeMethod, type Method, methodName, writeMethod } from '../../protocol/amqp/methods.gen.js';
import {
  decodeProperties,
  encodeProperties,
  hasHeader,
  type MessageProperties,
  PropertiesPeek,
  removeHeader,
  replaceReplyTo,
  validateHeaders,
} from '../../protocol/amqp/properties.js';
import { CLASSES, type ClassSpec, type Domain, type MethodSpec, PROPERTIES } from '../../protocol/amqp/spec.js';
import { ByteReader } from '../../protocol/byte-reader.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import { MalformedError } from '../../protocol/errors.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
fc.configureGlobal({ seed });
console.log(`protocol-codec: seed ${seed} (repeat with FC_SEED=${seed})`);

const shortstr = fc
  .oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.constantFrom('', '\ufeff', '\ufffd', 'x'.repeat(255), 'é'.repeat(127)),
  )
  .filter((text) => Buffer.byteLength(text) <= 255);
const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom('CC', 'BCC', 'x-match', 'é', '') }, shortstr);
const bytes = fc.uint8Array({ maxLength: 40 });
/** Text, or bytes that are not text: a decoder cannot tell text from the bytes that spell it. */
const longText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  bytes.map((prefix) => Uint8Array.from([...prefix, 0xff])),
);

const { table: fieldTable } = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ type: fc.constant('V' as const) }),
    fc.record({ type: fc.constant('t' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('b' as const), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ type: fc.constant('B' as const), value: fc.nat(255) }),
    fc.record({ type: fc.constant('s' as const), value: fc.integer({ min: -32768, max: 32767 }) }),
    fc.record({ type: fc.constant('u' as const), value: fc.nat(65535) }),
    fc.record({ type: fc.constant('I' as const), value: fc.integer() }),
    fc.record({ type: fc.constant('i' as const), value: fc.nat(0xffffffff) }),
    fc.record({ type: fc.constant('l' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
    fc.record({ type: fc.constant('T' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ type: fc.constant('f' as const), value: fc.float() }),
    fc.record({ type: fc.constant('d' as const), value: fc.double() }),
    fc.record({ type: fc.constant('D' as const), scale: fc.nat(255), value: fc.nat(0xffffffff) }),
    fc.record({ type: fc.constant('S' as const), value: longText }),
    fc.record({ type: fc.constant('x' as const), value: bytes }),
    fc.record({ type: fc.constant('A' as const), value: fc.array(tie('value'), { maxLength: 4 }) }),
    fc.record({ type: fc.constant('F' as const), value: tie('table') }),
  ),
  table: fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }),
}));

const DOMAINS: Record<Domain, fc.Arbitrary<unknown>> = {
  octet: fc.nat(255),
  short: fc.nat(65535),
  long: fc.nat(0xffffffff),
  longlong: fc.maxSafeNat(),
  shortstr,
  longstr: bytes,
  bit: fc.boolean(),
  table: fieldTable,
};

const properties = fc.record(
  Object.fromEntries(
    PROPERTIES.map(({ name, domain }) => [
      name,
      domain === 'longlong' ? fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) : DOMAINS[domain],
    ]),
  ),
  { requiredKeys: [] },
) as fc.Arbitrary<MessageProperties>;

function methodOf(spec: ClassSpec, method: MethodSpec): fc.Arbitrary<Method> {
  const fields = method.arguments.filter(({ reserved }) => !reserved);
  return fc.record({
    name: fc.constant(`${spec.name}.${method.name}`),
    ...Object.fromEntries(fields.map(({ name, domain }) => [name, DOMAINS[domain]])),
  }) as unknown as fc.Arbitrary<Method>;
}

function encodeTable(table: FieldTable): Uint8Array {
  const writer = new ByteWriter(16);
  writeTable(writer, table);
  return writer.finished();
}

function encodeMethod(channel: number, method: Method): Uint8Array {
  const writer = new ByteWriter(16);
  writeMethod(writer, channel, method);
  return writer.finished();
}

function argumentsOf(frame: Uint8Array): ByteReader {
  return new ByteReader(frame, 11, frame.length - 1);
}

function error(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

/** The bytes decode or they are malformed; nothing else is thrown. */
function expectDecodedOrMalformed(action: () => unknown): void {
  const thrown = error(action);
  if (thrown !== undefined) expect(thrown).toBeInstanceOf(MalformedError);
}

/** Cut somewhere, or with some octets changed. */
function damaged(encoded: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
  return fc.tuple(encoded, fc.option(fc.nat(), { nil: undefined }), changes).map(([original, cut, edits]) => {
    const copy = original.slice(0, cut === undefined ? original.length : cut % (original.length + 1));
    for (const [at, octet] of edits) if (copy.length > 0) copy[at % copy.length] = octet;
    return copy;
  });
}

describe('methods', () => {
  const specs = CLASSES.flatMap((spec) => spec.methods.map((method) => ({ spec, method })));

  it.each(specs.map((entry) => [`${entry.spec.name}.${entry.method.name}`, entry] as const))(
    '%s decodes to what was encoded',
    (name, { spec, method }) => {
      const id = spec.id * 65536 + method.id;
      expect(methodName(id)).toBe(name);
      fc.assert(
        fc.property(methodOf(spec, method), fc.nat(65535), (value, channel) => {
          const frame = encodeMethod(channel, value);
          const reader = new ByteReader(frame);
          expect([reader.u8(), reader.u16(), reader.u32(), reader.u32()]).toEqual([1, channel, frame.length - 8, id]);
          expect(frame.at(-1)).toBe(0xce);
          expect(decodeMethod(id, argumentsOf(frame))).toEqual(value);
        }),
        { numRuns: 50 },
      );
    },
  );

  const anyMethod = fc.oneof(...specs.map(({ spec, method }) => methodOf(spec, method)));

  it('cut short are malformed at every length', () => {
    fc.assert(
      fc.property(anyMethod, (value) => {
        const frame = encodeMethod(1, value);
        const id = new ByteReader(frame, 7).u32();
        for (let end = 11; end < frame.length - 1; end++) {
          expect(error(() => decodeMethod(id, new ByteReader(frame, 11, end)))).toBeInstanceOf(MalformedError);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('of random or damaged bytes decode or are malformed', () => {
    const frames = anyMethod.map((value) => encodeMethod(1, value));
    const ids = fc.constantFrom(...specs.map(({ spec, method }) => spec.id * 65536 + method.id));
    fc.assert(
      fc.property(ids, fc.oneof(bytes, damaged(frames.map((frame) => frame.slice(11, -1)))), (id, payload) => {
        expectDecodedOrMalformed(() => decodeMethod(id, new ByteReader(payload)));
      }),
      { numRuns: 2000 },
    );
  });

  it('fill chunks with whole frames', () => {
    fc.assert(
      fc.property(fc.array(anyMethod, { maxLength: 20 }), fc.integer({ min: 1, max: 300 }), (values, size) => {
        const chunks: Uint8Array[] = [];
        const writer = new ByteWriter(size, (w, needed) => {
          chunks.push(w.finished());
          w.replace(Buffer.alloc(Math.max(size, needed)), 0);
        });
        for (const value of values) writeMethod(writer, 1, value);
        chunks.push(writer.finished());
        const decoded = chunks.flatMap(framesOf);
        expect(decoded).toEqual(values);
      }),
      { numRuns: 100 },
    );
  });
});

function framesOf(chunk: Uint8Array): unknown[] {
  const reader = new ByteReader(chunk);
  const values: unknown[] = [];
  while (reader.remaining() > 0) {
    reader.skip(3);
    const size = reader.u32();
    const end = reader.offset + size;
    const id = reader.u32();
    values.push(decodeMethod(id, new ByteReader(chunk, reader.offset, end)));
    reader.skip(size - 4 + 1);
  }
  return values;
}

describe('tables', () => {
  it('decode to what was encoded, and encode to the same bytes', () => {
    fc.assert(
      fc.property(fieldTable, (table) => {
        const encoded = encodeTable(table);
        const reader = new ByteReader(encoded);
        const decoded = readTable(reader);
        expect(decoded).toEqual(table);
        expect(reader.remaining()).toBe(0);
        expect(encodeTable(decoded)).toEqual(encoded);
        validateHeaders(encoded, 0, encoded.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('are accepted undecoded exactly when they decode', () => {
    const random = fc
      .uint8Array({ minLength: 1, maxLength: 60 })
      .map((body) => Buffer.from([0, 0, 0, body.length, ...body]));
    fc.assert(
      fc.property(fc.oneof(damaged(fieldTable.map(encodeTable)), random), (candidate) => {
        const reader = new ByteReader(candidate);
        let decoded: FieldTable | undefined;
        const decoding = error(() => {
          decoded = readTable(reader);
        });
        const checking = error(() => validateHeaders(candidate, 0, candidate.length));
        if (decoding !== undefined) expect(decoding).toBeInstanceOf(MalformedError);
        if (checking !== undefined) expect(checking).toBeInstanceOf(MalformedError);
        expect(checking === undefined).toBe(decoding === undefined && reader.remaining() === 0);
        if (decoded !== undefined) expect(readTable(new ByteReader(encodeTable(decoded)))).toEqual(decoded);
        expectDecodedOrMalformed(() => hasHeader(candidate, 0, candidate.length, Buffer.from('CC')));
      }),
      { numRuns: 3000 },
    );
  });

  it('have exactly the headers that they decode to', () => {
    fc.assert(
      fc.property(fieldTable, key, (table, name) => {
        const encoded = encodeTable(table);
        expect(hasHeader(encoded, 0, encoded.length, Buffer.from(name))).toBe(table.some(([other]) => other === name));
      }),
    );
  });
});

describe('properties', () => {
  it('decode to what was encoded, at any offset', () => {
    fc.assert(
      fc.property(properties, fc.nat(9), (value, offset) => {
        const encoded = encodeProperties(value);
        const padded = Buffer.concat([Buffer.alloc(offset), encoded, Buffer.alloc(3)]);
        const decoded = decodeProperties(padded, offset, padded.length - 3);
        expect(decoded).toEqual(value);
        expect(encodeProperties(decoded)).toEqual(encoded);
      }),
      { numRuns: 500 },
    );
  });

  it('show undecoded what they decode to', () => {
    const peek = new PropertiesPeek();
    fc.assert(
      fc.property(properties, (value) => {
        const encoded = encodeProperties(value);
        const text = (start: number, end: number) =>
          start < 0 ? undefined : Buffer.from(encoded.subarray(start, end)).toString();
        peek.reset(encoded, 0, encoded.length);
        expect(peek.deliveryMode).toBe(value.deliveryMode ?? 0);
        expect(peek.priority).toBe(value.priority ?? 0);
        expect(text(peek.expirationStart, peek.expirationEnd)).toBe(value.expiration);
        expect(text(peek.replyToStart, peek.replyToEnd)).toBe(value.replyTo);
        expect(text(peek.userIdStart, peek.userIdEnd)).toBe(value.userId);
        const headers = peek.headersStart < 0 ? undefined : encoded.slice(peek.headersStart, peek.headersEnd);
        expect(headers).toEqual(value.headers && encodeTable(value.headers));
      }),
      { numRuns: 500 },
    );
  });

  it('change in one place only', () => {
    fc.assert(
      fc.property(properties, key, shortstr, (value, name, replyTo) => {
        const encoded = encodeProperties(value);
        const rest = value.headers && { headers: value.headers.filter(([other]) => other !== name) };
        expect(removeHeader(encoded, 0, encoded.length, name)).toEqual(encodeProperties({ ...value, ...rest }));
        const replaced = value.replyTo === undefined ? value : { ...value, replyTo };
        expect(replaceReplyTo(encoded, 0, encoded.length, replyTo)).toEqual(encodeProperties(replaced));
      }),
      { numRuns: 500 },
    );
  });

  it('of random or damaged bytes decode or are malformed', () => {
    const peek = new PropertiesPeek();
    fc.assert(
      fc.property(fc.oneof(bytes, damaged(properties.map(encodeProperties))), (candidate) => {
        const decoding = error(() => decodeProperties(candidate, 0, candidate.length));
        if (decoding === undefined) encodeProperties(decodeProperties(candidate, 0, candidate.length));
        else expect(decoding).toBeInstanceOf(MalformedError);
        const peeking = error(() => {
          peek.reset(candidate, 0, candidate.length);
          if (peek.headersStart >= 0) validateHeaders(candidate, peek.headersStart, peek.headersEnd);
        });
        if (peeking !== undefined) expect(peeking).toBeInstanceOf(MalformedError);
        expect(peeking === undefined).toBe(decoding === undefined);
        expectDecodedOrMalformed(() => removeHeader(candidate, 0, candidate.length, 'BCC'));
        expectDecodedOrMalformed(() => replaceReplyTo(candidate, 0, candidate.length, 'x'));
      }),
      { numRuns: 3000 },
    );
  });
});
