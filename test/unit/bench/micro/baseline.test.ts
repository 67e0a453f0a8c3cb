import { describe, expect, it } from 'vitest';
import {
  type Baseline,
  changeSince,
  confirmedRegressions,
  isRegression,
  medianMeasurement,
  parseBaseline,
} from '../../../../bench/micro/baseline.js';
import { CALIBRATION_VERSION } from '../../../../bench/micro/calibration.js';
import type { Measurement } from '../../../../bench/micro/measure.js';
import { baselineText, regressionText, tableOf } from '../../../../bench/micro/report.js';

const STEP = 'codec: parse a publish, 16 B';

function measurement(nanos: number, calibrationNanos = 1000): Measurement {
  return { nanos, calibrationNanos };
}

function baselineWith(steps: Readonly<Record<string, Measurement>>): Baseline {
  return { calibration: CALIBRATION_VERSION, node: '20.0.0', cpu: 'a cpu', date: '2026-01-02', steps };
}

/** Answers one measurement after the other, and counts. */
function measuringAgain(...nanos: number[]) {
  const asked: string[] = [];
  const again = async (name: string): Promise<Measurement> => {
    asked.push(name);
    const next = nanos.shift();
    if (next === undefined) throw new Error('measured more often than expected');
    return measurement(next);
  };
  return { asked, again };
}

describe('a change since the baseline', () => {
  it('is in proportion to the calibration', () => {
    const slowerMachine = changeSince(STEP, measurement(40, 1000), measurement(80, 2000));
    expect(slowerMachine).toEqual({ name: STEP, beforeNanos: 80, nowNanos: 80, change: 0 });
    expect(changeSince(STEP, measurement(40, 1000), measurement(40, 500)).change).toBe(1);
  });

  it.each([
    [114, false],
    [116, true],
    [50, false],
  ])('from 100 ns to %i ns: regression %s', (now, expected) => {
    expect(isRegression(changeSince(STEP, measurement(100), measurement(now)))).toBe(expected);
  });

  it('takes the median in proportion, not in ns', () => {
    const slowMinute = measurement(200, 4000);
    expect(medianMeasurement([measurement(100), slowMinute, measurement(60)])).toEqual(measurement(60));
    expect(medianMeasurement([measurement(3), measurement(1)])).toEqual(measurement(1));
    expect(() => medianMeasurement([])).toThrow('no measurement');
  });
});

describe('a regression', () => {
  const baseline = baselineWith({ [STEP]: measurement(100), other: measurement(10) });

  it('is confirmed by measuring again, and the best figure is reported', async () => {
    const { asked, again } = measuringAgain(140, 127, 130);
    const measured = new Map([
      [STEP, measurement(150)],
      ['other', measurement(10)],
    ]);
    const found = await confirmedRegressions(baseline, measured, again, 3);
    expect(asked).toEqual([STEP, STEP, STEP]);
    expect(found.map(regressionText)).toEqual([`REGRESSION ${STEP}: 100 ns -> 127 ns (+27%)\n`]);
  });

  it('is none once a measurement is within the limit', async () => {
    const { asked, again } = measuringAgain(140, 110);
    const found = await confirmedRegressions(baseline, new Map([[STEP, measurement(150)]]), again, 3);
    expect(asked).toHaveLength(2);
    expect(found).toEqual([]);
  });

  it('is not looked for in a step that the baseline does not have', async () => {
    const { asked, again } = measuringAgain();
    expect(await confirmedRegressions(baseline, new Map([['new', measurement(999)]]), again, 3)).toEqual([]);
    expect(asked).toEqual([]);
  });
});

describe('the table', () => {
  const baseline = baselineWith({ [STEP]: measurement(41, 1000), gone: measurement(1) });
  const measured = new Map([
    [STEP, measurement(104, 2000)],
    ['added', measurement(12.34, 2000)],
  ]);

  it('shows the baseline at the present speed, and what is new', () => {
    const lines = tableOf(measured, baseline).trimEnd().split('\n').slice(1);
    expect(lines[0]).toMatch(/^codec: parse a publish, 16 B +104 ns +82 ns +\+27%$/);
    expect(lines[1]).toMatch(/^added +12\.3 ns +new$/);
  });

  it('has figures alone without a baseline', () => {
    expect(tableOf(measured, undefined)).toMatch(/^added +12\.3 ns$/m);
  });

  it('says where the baseline comes from, and which steps it has alone', () => {
    const text = baselineText(baseline, measured);
    expect(text).toContain('2026-01-02, Node 20.0.0, a cpu');
    expect(text).toContain('2.00 times as long');
    expect(text).toContain('Only in the baseline: gone');
  });
});

describe('a saved baseline', () => {
  it('is read back', () => {
    const baseline = baselineWith({ [STEP]: measurement(41.5) });
    expect(parseBaseline(JSON.stringify(baseline))).toEqual(baseline);
  });

  it.each([
    ['no object', '[]'],
    ['no steps', JSON.stringify({ ...baselineWith({}), steps: undefined })],
    ['a step without figures', JSON.stringify(baselineWith({ [STEP]: {} as Measurement }))],
    ['a figure of nothing', JSON.stringify(baselineWith({ [STEP]: measurement(0) }))],
    ['no JSON', '{'],
  ])('is refused: %s', (_, text) => {
    expect(() => parseBaseline(text)).toThrow();
  });

  it('is of no use after the calibration work has changed', () => {
    const old = { ...baselineWith({ [STEP]: measurement(1) }), calibration: CALIBRATION_VERSION - 1 };
    expect(() => parseBaseline(JSON.stringify(old))).toThrow('calibration work has changed');
  });
});
