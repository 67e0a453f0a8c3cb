import { describe, expect, it } from 'vitest';
import { Alarms } from '../../../../src/session/shared/flow-control.js';

function alarmsAndChanges(): [Alarms, string[]] {
  const alarms = new Alarms();
  const changes: string[] = [];
  alarms.listen(() => changes.push(alarms.active ? alarms.reason : 'over'));
  return [alarms, changes];
}

describe('an alarm', () => {
  it('is raised until the last who holds it lets go', () => {
    const [alarms, changes] = alarmsAndChanges();
    alarms.raise('disk', 'monitor');
    alarms.raise('disk', 'store');
    alarms.raise('disk', 'store');
    alarms.clear('disk', 'monitor');
    alarms.clear('disk');
    expect([alarms.active, alarms.isRaised('disk'), alarms.isRaised('memory')]).toEqual([true, true, false]);
    alarms.clear('disk', 'store');
    expect([alarms.active, alarms.isRaised('disk')]).toEqual([false, false]);
    expect(changes).toEqual(['low on disk', 'over']);
  });

  it('of the one source is apart from that of the other', () => {
    const [alarms, changes] = alarmsAndChanges();
    alarms.raise('memory');
    alarms.raise('disk', 'monitor');
    alarms.clear('memory');
    alarms.clear('disk', 'monitor');
    expect(changes).toEqual(['low on memory', 'low on memory & disk', 'low on disk', 'over']);
  });

  it('is not cleared by who does not hold it', () => {
    const [alarms, changes] = alarmsAndChanges();
    alarms.clear('disk', 'monitor');
    alarms.raise('disk');
    alarms.clear('disk', 'monitor');
    expect(changes).toEqual(['low on disk']);
  });
});
