import { expect, it } from 'vitest';
import { assertEquivalentArgument } from '../../../src/core/arguments-equivalence.js';
import type { FieldValue } from '../../../src/core/field-value.js';
import { BrokerError } from '../../../src/errors.js';

const text = (value: string): FieldValue => ({ type: 'S', value });
const int = (value: number): FieldValue => ({ type: 'I', value });
const check = (stored: FieldValue | undefined, received: FieldValue | undefined) => () =>
  assertEquivalentArgument('k', stored, received, "queue 'q' in vhost '/'");

it.each<[FieldValue | undefined, FieldValue | undefined, string]>([
  [int(1000), int(1001), "received '1001' but current is '1000'"],
  [text('drop-head'), text('reject-publish'), "received 'reject-publish' but current is 'drop-head'"],
  [{ type: 't', value: true }, { type: 't', value: false }, "received 'false' but current is 'true'"],
  [int(1000), text('1000'), "received '1000' but current is '1000'"],
  [int(1000), { type: 'd', value: 1000 }, "received '1.0e3' but current is '1000'"],
  [int(1000), { type: 'V' }, "received none but current is '1000'"],
  [int(1000), { type: 'A', value: [int(1)] }, "received '[{signedint,1}]' but current is '1000'"],
  [undefined, int(1000), "received the value '1000' of type 'signedint' but current is none"],
  [undefined, text('abc'), "received the value 'abc' of type 'longstr' but current is none"],
  [undefined, { type: 'V' }, "received the value 'undefined' of type 'void' but current is none"],
  [
    undefined,
    { type: 'F', value: [['b', text('x')]] },
    `received the value '[{<<"b">>,longstr,<<"x">>}]' of type 'table' but current is none`,
  ],
  [int(1000), undefined, "received none but current is the value '1000' of type 'signedint'"],
])('stored %o, received %o', (stored, received, difference) => {
  const message = `inequivalent arg 'k' for queue 'q' in vhost '/': ${difference}`;
  expect(check(stored, received)).toThrow(new BrokerError('precondition-failed', message));
});

it.each<[FieldValue | undefined, FieldValue | undefined]>([
  [undefined, undefined],
  [int(1000), { type: 'l', value: 1000n }],
  [int(1000), { type: 'T', value: 1000n }],
  [text('a'), { type: 'x', value: Buffer.from('a') }],
])('stored %o is received %o', (stored, received) => {
  expect(check(stored, received)).not.toThrow();
});
