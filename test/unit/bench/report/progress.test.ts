import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../../bench/report/histogram.js';
import { type ProgressCounts, ProgressLine, type ProgressOutput } from '../../../../bench/report/progress.js';

class Terminal implements ProgressOutput {
  readonly isTTY: boolean;
  readonly columns: number;
  text = '';

  constructor(isTTY = true, columns = 200) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }

  /** What stands on the line at the moment. */
  line(): string {
    return this.text.slice(this.text.lastIndexOf('\u001b[K') + 3);
  }
}

class Run {
  totals: ProgressCounts = {};
  readonly histogram = new LatencyHistogram();

  phase(): string {
    return 'running';
  }

  counts(): ProgressCounts {
    return this.totals;
  }

  latency(): LatencyHistogram {
    return this.histogram;
  }
}

describe('ProgressLine', () => {
  it('shows the rates and the p99 since the last line', () => {
    const run = new Run();
    const terminal = new Terminal();
    const line = new ProgressLine(run, terminal);
    run.histogram.record(5000, 1000);
    line.update(1000);
    run.totals = { published: 20_000, delivered: 10_000 };
    run.histogram.record(80);
    line.update(3000);
    expect(terminal.line()).toBe('3 s running  published 10,000/s  delivered 5,000/s  p99 80 µs');
    run.totals = { published: 20_000, delivered: 20_000, confirmed: 3 };
    line.update(4000);
    expect(terminal.line()).toBe('4 s running  published 0.00/s  delivered 10,000/s  confirmed 3.00/s');
  });

  it('never wraps', () => {
    const run = new Run();
    const terminal = new Terminal(true, 12);
    run.totals = { operations: 5 };
    new ProgressLine(run, terminal).update(1000);
    expect(terminal.line()).toHaveLength(11);
  });

  it('takes a width where the terminal knows none', () => {
    const run = new Run();
    const terminal = new Terminal(true, 0);
    run.totals = { operations: 5 };
    new ProgressLine(run, terminal).update(1000);
    expect(terminal.line()).toBe('1 s running  operations 5.00/s');
  });

  it('removes the line at the end', () => {
    const terminal = new Terminal();
    const line = new ProgressLine(new Run(), terminal);
    line.start();
    line.update(performance.now());
    expect(terminal.line()).toContain('running');
    line.stop();
    expect(terminal.line()).toBe('');
  });

  it('writes nothing where there is no terminal', () => {
    const terminal = new Terminal(false);
    const line = new ProgressLine(new Run(), terminal);
    line.start();
    line.stop();
    expect(terminal.text).toBe('');
  });
});
