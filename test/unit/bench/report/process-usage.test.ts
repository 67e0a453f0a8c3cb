import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { parseProc, parsePs, UsageMeter } from '../../../../bench/report/process-usage.js';

const children: ChildProcess[] = [];

async function nodeProcess(script: string): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return { child, pid: child.pid ?? 0 };
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await end(child);
});

function burn(cpuSeconds: number): void {
  const before = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(before);
    if (user + system > cpuSeconds * 1e6) return;
  }
}

describe('UsageMeter', () => {
  it('counts the CPU time of this process since the start, by message', () => {
    const meter = UsageMeter.of(process.pid);
    burn(0.1);
    meter.start();
    burn(0.05);
    const usage = meter.stop(1000);
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.05);
    expect(usage.cpuMicrosPerMessage).toBeCloseTo(usage.cpuSeconds * 1000);
    expect(usage.rssPeakBytes).toBeGreaterThanOrEqual(usage.rssBytes);
    expect(usage.rssBytes).toBeGreaterThan(1e6);
  });

  it('has no CPU by message when there was none', () => {
    const meter = UsageMeter.ofThisProcess();
    meter.start();
    expect(meter.stop(0).cpuMicrosPerMessage).toBe(0);
  });

  it('counts all threads of another process', async () => {
    // The main thread sleeps; the worker says when it has used its time.
    const worker = `const { parentPort } = require('node:worker_threads');
      parentPort.once('message', () => {
        const before = process.cpuUsage();
        for (let used = 0; used < 300_000; ) {
          const { user, system } = process.cpuUsage(before);
          used = user + system;
        }
        parentPort.postMessage('done');
      });`;
    const { child, pid } = await nodeProcess(`
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
      worker.once('online', () => console.log('ready'));
      process.stdin.once('data', () => worker.postMessage('burn'));
      worker.on('message', () => console.log('done'));`);
    const meter = UsageMeter.of(pid);
    meter.start();
    child.stdin?.write('go\n');
    if (child.stdout !== null) await once(child.stdout, 'data');
    // The kernel counts in hundredths of a second.
    expect(meter.stop(1).cpuSeconds).toBeGreaterThanOrEqual(0.25);
  });

  it('says so when the process is gone, at the start and at the end', async () => {
    const { child, pid } = await nodeProcess(`console.log('ready'); setInterval(() => {}, 1000);`);
    const meter = UsageMeter.of(pid);
    meter.start();
    await end(child);
    expect(() => meter.stop(1)).toThrow(`process ${pid} is not there`);
    expect(() => UsageMeter.of(pid).start()).toThrow(`process ${pid} is not there`);
  });
});

describe('parseProc', () => {
  const status = 'Name:\tbeam\nVmHWM:\t    9000 kB\nVmRSS:\t    2000 kB\n';

  it('reads past a name with spaces and brackets', () => {
    const stat = '42 (a) R (b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 7 20 0 9 0 1234 1000 500';
    expect(parseProc(stat, status)).toEqual({ cpuSeconds: 2, rssBytes: 2000 * 1024 });
  });

  it('refuses a process that has ended but is still listed', () => {
    expect(() => parseProc('42 (x) Z 1 42 42 0 -1 0 0 0 0 0 1 1 0 0', 'Name:\tx\nState:\tZ (zombie)\n')).toThrow(
      'ended',
    );
  });
});

describe('parsePs', () => {
  it.each([
    ['    0:01.50  2048\n', 1.5],
    ['02:03:04 2048', 7384],
    ['1-00:00:10 2048', 86_410],
  ])('reads %j', (output, cpuSeconds) => {
    expect(parsePs(output)).toEqual({ cpuSeconds, rssBytes: 2048 * 1024 });
  });

  it('refuses what it does not know', () => {
    expect(() => parsePs('')).toThrow("ps answered ''");
  });
});
