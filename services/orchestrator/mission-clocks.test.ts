import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskSpec } from '#schemas/task-spec.ts';
import { MissionClocks } from './mission-clocks.ts';
import { PartitionPlay } from './partition-play.ts';

const hour = 60 * 60 * 1000;

test('a mission is ahead of our clock by what its newest fact was, and never behind it', () => {
  const clocks = new MissionClocks();
  assert.equal(clocks.saw('m', 900, 1000), false);
  assert.equal(clocks.at('m', 1000), 1000);
  assert.equal(clocks.saw('m', 5000, 1000), true);
  assert.equal(clocks.at('m', 1000), 5000);
  assert.equal(clocks.at('m', 1200), 5200);
  assert.equal(clocks.clockAt('m', 5200), 1200);
  assert.equal(clocks.saw('m', 5100, 1200), false);
  clocks.forget('m');
  assert.equal(clocks.at('m', 1200), 1200);
});

/** A worker has claimed the only task, under an orchestrator whose clock was an hour fast, and is never heard of again. */
function claimedAnHourAhead(): PartitionPlay {
  const play = new PartitionPlay({ roles: ['builder'] });
  play.now += hour;
  play.submit('m', { tasks: [taskSpec({ id: 'a', role: 'builder' })] });
  const [given] = play.assignments();
  assert.ok(given);
  play.started(given);
  play.now -= hour;
  return play;
}

test('a lease that a fast clock gave out expires in time when the clock is right again', () => {
  const play = claimedAnHourAhead();
  play.restart();
  assert.equal(play.assignments().length, 1, 'not yet');
  play.now += 10_000;
  play.ring();
  assert.deepEqual(
    play.assignments().map(({ payload }) => payload.lease),
    [1, 2],
  );
});

test('the same in a living process whose clock is set right, from the next that it hears of the mission', () => {
  const play = claimedAnHourAhead();
  const [given] = play.assignments();
  assert.ok(given);
  play.started(given);
  play.now += 10_000;
  play.ring();
  assert.equal(play.assignments().length, 2);
});
