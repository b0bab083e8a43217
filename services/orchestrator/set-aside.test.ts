import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay } from './partition-play.ts';

const codec = createCodec(numberedIds());
const tasks = ['t0', 't1'].map((id) => taskSpec({ id, role: 'a' }));

/** Two missions, and a changelog in which one of them was changed by somebody. */
function broken(change: (changelog: Map<string, Buffer>) => void) {
  const play = new PartitionPlay({ roles: ['a'], outstanding: 3 });
  play.submit('m', { tasks });
  play.submit('n', { tasks });
  const assigned = play.assignments();
  change(play.changelog);
  const kept = new Map(play.changelog);
  play.restart();
  return { play, assigned, kept };
}

const changes: Readonly<Record<string, (changelog: Map<string, Buffer>) => void>> = {
  'without its plan': (changelog) => changelog.delete('plan/m'),
  'with bytes that nobody can read': (changelog) => changelog.set('mission/m', Buffer.from('?')),
  'with a record of another kind': (changelog) =>
    changelog.set('mission/m', codec.encodeRecord('MissionPlan', { mission_id: 'm', tasks: [] })),
  'with a plan that nobody can read': (changelog) => changelog.set('plan/m', Buffer.from([0, 0, 0, 0, 9])),
};

describe('a mission whose changelog contradicts itself', () => {
  for (const [how, change] of Object.entries(changes)) {
    it(`is set aside (${how}), and the others of its partition go on`, () => {
      const { play, assigned, kept } = broken(change);
      const [problem, ...others] = play.missions.problems();
      assert.match(problem ?? '', /^changelog_broken: mission m of partition 0: /);
      assert.deepEqual(others, []);
      const [mine] = assigned;
      assert.ok(mine?.correlation_id === 'm');
      const facts = play.ledger.length;
      // They are dead letters, and so not lost.
      assert.throws(() => play.completed(mine), { code: 'changelog_broken' });
      assert.throws(() => play.cancel('m'), { code: 'changelog_broken' });
      assert.throws(() => play.submit('m', { tasks }), { code: 'changelog_broken' });
      play.report('m', 'task_heartbeat', { task_id: 't0', attempt: 1, lease: 1, agent: 'a' });
      assert.equal(play.ledger.length, facts);
      for (let done = 0; done < play.assignments().length; done += 1) {
        const each = play.assignments()[done];
        if (each?.correlation_id === 'n') play.completed(each);
      }
      assert.equal(play.facts('n').at(-1)?.event_type, 'mission_completed');
      for (const [key, bytes] of kept)
        if (key === 'mission/m' || key === 'plan/m')
          assert.deepEqual(play.changelog.get(key), bytes, 'nothing is written of it');
    });
  }

  it('leaves an assignment that cannot be read to be made anew', () => {
    const { play } = broken((changelog) => {
      assert.ok(changelog.has('dispatch/n/t1'));
      changelog.set('dispatch/n/t1', Buffer.from('?'));
    });
    assert.deepEqual(play.missions.problems(), []);
    assert.equal(play.missions.nextAlarm() !== null, true);
  });
});
