import { describe, expect, it } from 'vitest';
import { ClassId, PropertyFlag, ReplyCode } from '../../../../protocol/amqp/constants.gen.js';
import { carriesContent, MethodId, methodName } from '../../../../protocol/amqp/methods.gen.js';
import { CLASSES, PROPERTIES, REPLY_CODES } from '../../../../protocol/amqp/spec.js';

const methods = CLASSES.flatMap((spec) =>
  spec.methods.map((method) => ({
    ...method,
    text: `${spec.name}.${method.name}`,
    fullId: spec.id * 65536 + method.id,
  })),
);

describe('the spec table', () => {
  it('has an id and a name for each method', () => {
    expect(new Set(methods.map(({ fullId }) => fullId)).size).toBe(methods.length);
    expect(new Set(methods.map(({ text }) => text)).size).toBe(methods.length);
    for (const { arguments: args } of methods) expect(new Set(args.map(({ name }) => name)).size).toBe(args.length);
  });

  it('was generated from: names, ids and content agree', () => {
    expect(Object.values(MethodId)).toEqual(methods.map(({ fullId }) => fullId));
    expect(methods.map(({ fullId }) => methodName(fullId))).toEqual(methods.map(({ text }) => text));
    expect(methods.filter(({ fullId }) => carriesContent(fullId)).map(({ text }) => text)).toEqual([
      'basic.publish',
      'basic.return',
      'basic.deliver',
      'basic.get-ok',
    ]);
    expect(Object.values(ClassId)).toEqual(CLASSES.map(({ id }) => id));
    expect(methodName(0x000a000c)).toBeUndefined();
  });

  it('answers each synchronous method under the next id, but exchange.unbind under 51', () => {
    expect(MethodId.ExchangeUnbindOk & 0xffff).toBe(51);
    const replies = methods.filter(({ text }) => text.endsWith('-ok') && text !== 'exchange.unbind-ok');
    for (const { text, fullId } of replies) {
      expect(methodName(fullId - 1)).toBe(text === 'basic.get-ok' ? 'basic.get' : text.slice(0, -'-ok'.length));
    }
  });

  it('gives properties the bits from 15 to 2 in wire order', () => {
    expect(PROPERTIES.map(({ flag }) => flag)).toEqual(Array.from({ length: 14 }, (_, index) => 1 << (15 - index)));
    expect(Object.entries(PropertyFlag)).toEqual(PROPERTIES.map(({ name, flag }) => [name, flag]));
    expect(Object.entries(ReplyCode)).toEqual(REPLY_CODES.map(({ name, code }) => [name, code]));
  });
});
