import { describe, expect, it } from 'vitest';
import { parseCompareOptions } from '../../../../bench/compare/compare-options.js';

describe('the options of a comparison', () => {
  it('have defaults', () => {
    expect(parseCompareOptions([])).toMatchObject({ rounds: 5, seconds: 5, only: [], against: undefined });
  });

  it('are read', () => {
    const url = 'amqp://user:secret@host:5673/vhost';
    const argv = ['--rounds', '2', '--only', 'a', '--only', 'b', '--against', url, '--against-pid', '17'];
    expect(parseCompareOptions(argv)).toMatchObject({ rounds: 2, only: ['a', 'b'], against: url, againstPid: 17 });
    expect(parseCompareOptions(['--help'])).toBeUndefined();
  });

  it.each([
    [['--rounds', '0']],
    [['--seconds', '1.5']],
    [['--against', 'http://host']],
    [['--against-pid', '1']],
    [['--name', '../']],
    [['--unknown']],
    [['argument']],
  ])('are refused: %j', (argv) => {
    expect(() => parseCompareOptions(argv)).toThrow();
  });
});
