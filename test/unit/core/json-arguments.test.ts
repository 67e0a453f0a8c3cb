import { describe, expect, it } from 'vitest';
import type { FieldTable } from '../../../src/core/field-value.js';
import { argumentsFromJson, argumentsToJson } from '../../../src/core/json-arguments.js';

describe('arguments in JSON', () => {
  it('become the types that RabbitMQ makes of them', () => {
    const json = { t: true, i: 5, big: 2 ** 60, d: 1.5, huge: 1e300, s: 'x', a: [1, 'y'], o: { n: -1 } };
    const table: FieldTable = [
      ['t', { type: 't', value: true }],
      ['i', { type: 'l', value: 5n }],
      ['big', { type: 'l', value: 2n ** 60n }],
      ['d', { type: 'd', value: 1.5 }],
      ['huge', { type: 'd', value: 1e300 }],
      ['s', { type: 'S', value: 'x' }],
      [
        'a',
        {
          type: 'A',
          value: [
            { type: 'l', value: 1n },
            { type: 'S', value: 'y' },
          ],
        },
      ],
      ['o', { type: 'F', value: [['n', { type: 'l', value: -1n }]] }],
    ];
    expect(argumentsFromJson(json)).toEqual(table);
    expect(argumentsToJson(table)).toEqual(json);
  });

  it('are never null', () => {
    expect(() => argumentsFromJson({ a: [{ b: null }] })).toThrow("argument 'b' is null");
  });

  it('show what JSON cannot tell apart as the nearest it has', () => {
    expect(
      argumentsToJson([
        ['small', { type: 'b', value: -1 }],
        ['time', { type: 'T', value: 7n }],
        ['bytes', { type: 'x', value: Buffer.from('ab') }],
        ['decimal', { type: 'D', scale: 2, value: 314 }],
        ['nan', { type: 'd', value: Number.NaN }],
        ['void', { type: 'V' }],
      ]),
    ).toEqual({ small: -1, time: 7, bytes: 'ab', decimal: 3.14, nan: 'NaN', void: 'undefined' });
  });
});
