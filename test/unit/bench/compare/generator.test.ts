/** The load generator's process, played by small programs. */
import { describe, expect, it } from 'vitest';
import { GeneratorUsageError, parseResult, runGenerator } from '../../../../bench/compare/generator.js';
import { resultOf } from './results.js';

const never = new AbortController().signal;

function program(source: string): string[] {
  return [process.execPath, '-e', source];
}

function printing(text: string, exitCode: number): string[] {
  return program(`process.stdout.write(${JSON.stringify(text)}); process.exitCode = ${exitCode}`);
}

describe('the load generator', () => {
  it('hands over the result that it prints', async () => {
    const result = resultOf({ publishedPerSecond: 12 });
    expect(await runGenerator(printing(`${JSON.stringify(result)}\n`, 0), never)).toEqual(result);
  });

  it('hands over a result whose checks failed, whatever its exit code', async () => {
    const result = resultOf({ errors: ['something'] });
    expect(await runGenerator(printing(JSON.stringify(result), 1), never)).toEqual(result);
  });

  it('fails with its own words when it prints none', async () => {
    const failing = program("console.error('no broker there'); process.exitCode = 1");
    await expect(runGenerator(failing, never)).rejects.toThrow('ended with 1 and no result: no broker there');
  });

  it('is told apart when it refuses its options', async () => {
    const refusing = program("console.error('unknown option --x'); process.exitCode = 2");
    await expect(runGenerator(refusing, never)).rejects.toThrow(GeneratorUsageError);
  });

  it('is named when it does not exist', async () => {
    await expect(runGenerator(['/nowhere/at/all'], never)).rejects.toThrow('/nowhere/at/all');
  });

  it('is ended when it takes too long', async () => {
    await expect(runGenerator(program('setInterval(() => {}, 1000)'), never, 50)).rejects.toThrow('ended with SIGKILL');
  });

  it('is ended when the comparison is', async () => {
    const interrupt = new AbortController();
    const running = runGenerator(program('setInterval(() => {}, 1000)'), interrupt.signal);
    interrupt.abort();
    await expect(running).rejects.toThrow('aborted');
  });
});

describe('a result', () => {
  it.each([
    ['no JSON', 'all went well', 'no JSON line'],
    ['two lines', '{}\n{}', 'no JSON line'],
    ['something else', '{"scenario":"throughput"}', 'is no result'],
    ['nothing', 'null', 'is no result'],
    ['no verdict', JSON.stringify({ ...resultOf(), checks: {} }), 'is no result'],
  ])('is refused: %s', (_, line, message) => {
    expect(() => parseResult(line)).toThrow(message);
  });
});
