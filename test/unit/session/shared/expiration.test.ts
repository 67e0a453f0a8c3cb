import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { parseExpiration } from '../../../../src/session/shared/expiration.js';

function refusal(text: string): string {
  try {
    parseExpiration(text);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    expect(error.kind).toBe('precondition-failed');
    return error.message;
  }
  throw new Error(`'${text}' is accepted`);
}

describe('an expiration', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['60000', 60_000],
    ['+5', 5],
    ['-0', 0],
    ['+0', 0],
    ['000000000000000000000000007', 7],
    ['315360000000', 315_360_000_000],
  ])("reads '%s' as %d ms", (text, expected) => {
    const milliseconds = parseExpiration(text);
    expect(milliseconds).toBe(expected);
    expect(Object.is(milliseconds, -0)).toBe(false);
  });

  it.each([
    ['', "invalid expiration '': no_integer"],
    ['abc', "invalid expiration 'abc': no_integer"],
    [' 5', "invalid expiration ' 5': no_integer"],
    ['-', "invalid expiration '-': no_integer"],
    ['+', "invalid expiration '+': no_integer"],
    ['+-5', "invalid expiration '+-5': no_integer"],
    ['.5', "invalid expiration '.5': no_integer"],
    ['١', "invalid expiration '١': no_integer"],
    ['10ms', 'invalid expiration \'10ms\': {leftover_string,"ms"}'],
    ['1.5', 'invalid expiration \'1.5\': {leftover_string,".5"}'],
    ['5 ', 'invalid expiration \'5 \': {leftover_string," "}'],
    ['5\n', 'invalid expiration \'5\n\': {leftover_string,"\n"}'],
    ['-1x', 'invalid expiration \'-1x\': {leftover_string,"x"}'],
    ['-1', "invalid expiration '-1': {value_negative,-1}"],
    ['-007', "invalid expiration '-007': {value_negative,-7}"],
    ['315360000001', "invalid expiration '315360000001': {value_too_large,315360000001}"],
    ['400000000000', "invalid expiration '400000000000': {value_too_large,400000000000}"],
    ['9'.repeat(200), `invalid expiration '${'9'.repeat(200)}': {value_too_large,${'9'.repeat(200)}}`],
  ])("refuses '%s'", (text, message) => {
    expect(refusal(text)).toBe(message);
  });
});
