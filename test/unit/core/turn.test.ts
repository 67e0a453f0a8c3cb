import { describe, expect, it } from 'vitest';
import { Turn, TurnPhase, type TurnTask } from '../../../src/core/turn.js';
import { FakeClock } from '../../support/fake-clock.js';

function turnOf() {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const turn = new Turn(clock, (error) => failures.push(error));
  const ran: string[] = [];
  const task = (name: string, action: () => void = () => {}): TurnTask => ({
    deferred: false,
    runInTurn: () => {
      ran.push(name);
      action();
    },
  });
  return { clock, failures, turn, ran, task };
}

describe('the end of a turn', () => {
  it('runs phases in order and tasks of a phase in the order they asked', () => {
    const { clock, turn, ran, task } = turnOf();
    turn.defer(TurnPhase.Flush, task('flush'));
    turn.defer(TurnPhase.Confirm, task('confirm'));
    turn.defer(TurnPhase.Dispatch, task('dispatch 1'));
    turn.defer(TurnPhase.Commit, task('commit'));
    turn.defer(TurnPhase.Dispatch, task('dispatch 2'));
    expect(ran).toEqual([]);
    clock.endTurn();
    expect(ran).toEqual(['dispatch 1', 'dispatch 2', 'commit', 'confirm', 'flush']);
    expect(clock.hasTurnWaiting).toBe(false);
  });

  it('runs a task once however often it asks, and again in the next turn', () => {
    const { clock, turn, ran, task } = turnOf();
    const flush = task('flush');
    for (let i = 0; i < 3; i++) turn.defer(TurnPhase.Flush, flush);
    expect(flush.deferred).toBe(true);
    clock.endTurn();
    expect([ran, flush.deferred]).toEqual([['flush'], false]);
    clock.settle();
    expect(ran).toHaveLength(1);
    turn.defer(TurnPhase.Flush, flush);
    clock.settle();
    expect(ran).toHaveLength(2);
  });

  it('moves forward only: a later phase joins this turn, the same and earlier ones the next', () => {
    const { clock, turn, ran, task } = turnOf();
    const again = task('dispatch again');
    const commit = task('commit', () => {
      turn.defer(TurnPhase.Dispatch, again);
      turn.defer(TurnPhase.Commit, task('commit again'));
      turn.defer(TurnPhase.Flush, task('flush'));
    });
    turn.defer(TurnPhase.Commit, commit);
    clock.endTurn();
    expect(ran).toEqual(['commit', 'flush']);
    clock.endTurn();
    expect(ran).toEqual(['commit', 'flush', 'dispatch again', 'commit again']);
    clock.settle();
    expect(ran).toHaveLength(4);
  });

  it('lets a task that asks for itself run once a turn', () => {
    const { clock, turn, ran, task } = turnOf();
    const endless: TurnTask = task('dispatch', () => turn.defer(TurnPhase.Dispatch, endless));
    turn.defer(TurnPhase.Dispatch, endless);
    for (let turns = 1; turns <= 5; turns++) {
      clock.endTurn();
      expect(ran).toHaveLength(turns);
    }
  });

  it('goes on after a task that throws', () => {
    const { clock, failures, turn, ran, task } = turnOf();
    const broken = task('broken', () => {
      throw new Error('no');
    });
    turn.defer(TurnPhase.Dispatch, broken);
    turn.defer(TurnPhase.Dispatch, task('dispatch'));
    turn.defer(TurnPhase.Flush, task('flush'));
    clock.endTurn();
    expect(ran).toEqual(['broken', 'dispatch', 'flush']);
    expect(failures).toEqual([new Error('no')]);
    expect(broken.deferred).toBe(false);
  });

  it('may be run early, as a broker does that stops, even from within itself', () => {
    const { clock, turn, ran, task } = turnOf();
    turn.defer(TurnPhase.Flush, task('flush'));
    turn.defer(
      TurnPhase.Dispatch,
      task('stop', () => {
        turn.defer(TurnPhase.Dispatch, task('late'));
        turn.run();
      }),
    );
    turn.defer(TurnPhase.Dispatch, task('dispatch'));
    turn.run();
    expect(ran.slice().sort()).toEqual(['dispatch', 'flush', 'late', 'stop']);
    clock.settle();
    expect(ran).toHaveLength(4);
  });

  it('refreshes the coarse time before anything runs', () => {
    const { clock, turn, task } = turnOf();
    const started = clock.coarseWallTime;
    let seen = 0;
    clock.advance(50);
    expect(clock.coarseWallTime).toBe(started);
    turn.defer(
      TurnPhase.Dispatch,
      task('dispatch', () => {
        seen = clock.coarseWallTime;
      }),
    );
    clock.endTurn();
    expect(seen).toBe(started + 50);
  });
});
