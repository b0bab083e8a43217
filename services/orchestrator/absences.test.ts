import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lostAfterMs } from '#chassis/agents.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { AgentHealthPayload, EventOf } from '#schemas/types.gen.ts';
import { LiveRoles } from './agents-feed.ts';
import { PartitionPlay } from './partition-play.ts';

const tasks = ['t0', 't1'].map((id) => taskSpec({ id, role: 'a' }));

/** A partition whose role `a` nobody runs since `since`; null: somebody does. */
function playWithout(since: number | null) {
  const absence = { since };
  const agents = {
    free: () => 0,
    capacity: () => 0,
    absentSince: (role: string) => (role === 'a' ? absence.since : null),
  };
  const play = new PartitionPlay({ roles: ['a', 'b'], agents });
  const look = (laterMs: number): void => {
    play.now += laterMs;
    play.missions.look(play.now);
    play.ring();
  };
  const said = () =>
    play.sent.flatMap(({ value }) =>
      'event_type' in value && value.event_type === 'role_unavailable'
        ? [(value as EventOf<'role_unavailable'>).payload]
        : [],
    );
  return { play, absence, look, said };
}

describe('a role that nobody runs', () => {
  it('is told each mission that waits for it, once, after a short while', () => {
    const { play, look, said } = playWithout(0);
    play.submit('m', { tasks });
    look(1000);
    assert.deepEqual(said(), []);
    look(3000);
    assert.deepEqual(said(), [{ role: 'a', tasks: ['t0', 't1'], since: 0 }]);
    look(60_000);
    assert.equal(said().length, 1);
    play.submit('n', { tasks: tasks.slice(1) });
    look(5000);
    assert.deepEqual(said()[1], { role: 'a', tasks: ['t1'], since: 0 });
  });

  it('is not told again after a restart, but once somebody has run it meanwhile', () => {
    const { play, absence, look, said } = playWithout(0);
    play.submit('m', { tasks });
    look(5000);
    play.restart();
    look(5000);
    assert.equal(said().length, 1);
    absence.since = null;
    look(1000);
    absence.since = play.now;
    look(2000);
    assert.equal(said().length, 1, 'not at once');
    look(2000);
    assert.equal(said().length, 2);
  });

  it('is no business of missions that wait for other roles, and of none that is over', () => {
    const { play, look, said } = playWithout(0);
    play.submit('m', { tasks: [taskSpec({ id: 'x', role: 'b' })] });
    play.submit('n', { tasks });
    play.cancel('n');
    look(5000);
    assert.deepEqual(said(), []);
  });

  it('is forgotten with the mission', () => {
    const { play, look } = playWithout(0);
    play.submit('m', { tasks });
    look(5000);
    const marks = () => [...play.changelog.keys()].filter((key) => key.startsWith('unavailable/'));
    assert.deepEqual(marks(), ['unavailable/a/m']);
    play.cancel('m');
    assert.deepEqual(marks(), []);
  });
});

describe('who runs which role', () => {
  const health: AgentHealthPayload = {
    ...{ agent: 'x', service: 'worker', roles: ['a'], pid: 1, host: 'h', state: 'running', running: 0 },
    ...{ capacity: 4, started_at: 0, code_version: '1', pools: [{ role: 'a', running: 0, capacity: 4 }] },
    reason: '',
    problems: [],
  };
  const ours: AgentHealthPayload = { ...health, agent: 'o', service: 'orchestrator', roles: [], pools: [] };

  it('is not known before all is read, nor while nothing is heard at all', () => {
    const live = new LiveRoles();
    live.hear(ours, 1000, 1000);
    assert.equal(live.absentSince('a'), null);
    live.caughtUp = true;
    assert.equal(live.absentSince('a'), 0);
    live.refresh(1000 + lostAfterMs);
    assert.equal(live.absentSince('a'), null, 'we hear not even ourselves');
  });

  it('is nobody once the last of them is lost or has gone', () => {
    const live = new LiveRoles();
    live.caughtUp = true;
    live.hear(health, 1000, 1000);
    assert.deepEqual([live.absentSince('a'), live.capacity('a')], [null, 4]);
    live.hear(ours, 1001 + lostAfterMs, 1001 + lostAfterMs);
    assert.deepEqual([live.absentSince('a'), live.capacity('a')], [1000, 0]);
    live.hear({ ...health, agent: 'y' }, 50_000, 50_000);
    assert.equal(live.absentSince('a'), null);
    live.hear({ ...health, agent: 'y', state: 'stopped' }, 51_000, 51_000);
    assert.equal(live.absentSince('a'), 51_000);
  });
});
