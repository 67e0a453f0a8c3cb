import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, RunResources } from '../../../../bench/compare/run-resources.js';
import { eventually } from '../../../support/eventually.js';

const resources = new RunResources();
afterEach(() => resources.close());

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function idleProcess() {
  return resources.start([process.execPath, '-e', 'setInterval(() => {}, 1000)'], process.env);
}

describe('what a comparison starts', () => {
  it('is gone after close, with its directories', async () => {
    const [one, other, directory] = [idleProcess(), idleProcess(), resources.directory()];
    expect([one.failure(), existsSync(directory)]).toEqual([undefined, true]);
    await resources.close();
    expect([isAlive(one.pid), isAlive(other.pid), existsSync(directory)]).toEqual([false, false, false]);
  });

  it('is gone at once when this process is about to exit', async () => {
    const [child, directory] = [idleProcess(), resources.directory()];
    resources.closeNow();
    expect(existsSync(directory)).toBe(false);
    await eventually(() => expect(isAlive(child.pid)).toBe(false));
  });

  it('says what ended it', async () => {
    const failing = resources.start(
      [process.execPath, '-e', "console.log('the port is taken'); process.exitCode = 3"],
      process.env,
    );
    await eventually(() => expect(failing.failure()).toMatch(/ended with 3\nthe port is taken$/));
  });

  it('is refused when there is no such program', () => {
    expect(() => resources.start(['/nowhere/at/all'], process.env)).toThrow('cannot start /nowhere/at/all');
  });
});

describe('a free port', () => {
  it('is one that can be listened on', async () => {
    expect(await freePort()).toBeGreaterThan(1023);
  });
});
