import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay, topics } from './partition-play.ts';
import { createVerifier } from './verify.ts';

const scheduleToStartMs = 300_000;
const codec = createCodec(numberedIds());

/** A partition whose role `a` has so many agents that are free. */
function playWith(more: { free?: number; outstanding?: number } = {}) {
  const agents = { free: more.free ?? 1 };
  const play = new PartitionPlay({
    ...{ roles: ['a', 'b'], outstanding: more.outstanding ?? 100, scheduleToStartMs },
    agents: { capacity: () => 4, free: () => agents.free, absentSince: () => null },
  });
  const pass = (ms: number): void => {
    play.now += ms;
    play.missions.look(play.now);
    play.ring();
  };
  const codes = (id: string) =>
    play.facts(id).flatMap(({ payload: { code, task_id } }) => (code === undefined ? [] : [[task_id, code]]));
  const verify = () => {
    const verifier = createVerifier(codec);
    for (const record of play.ledger) assert.equal(verifier.feed(record), null);
  };
  return { play, agents, pass, codes, verify };
}

const one = { tasks: [taskSpec({ id: 't', role: 'a' })] };

describe('an assignment that nobody begins', () => {
  it('is sent again under the same attempt and lease while agents are free, and tells itself from a duplicate', () => {
    const { play, pass, verify } = playWith();
    play.submit('m', one);
    pass(scheduleToStartMs - 1);
    assert.equal(play.assignments().length, 1);
    const facts = play.ledger.length;
    pass(1);
    const [first, again] = play.assignments();
    assert.ok(first !== undefined && again !== undefined);
    assert.deepEqual(again.payload, first.payload);
    assert.notEqual(again.event_id, first.event_id);
    assert.match(again.event_id, /^m:t:1:1:again:\d+$/);
    assert.deepEqual([first.sequence > 0, again.sequence, again.previous_hash], [true, 0, '']);
    assert.equal(play.ledger.length, facts, 'the ledger says it once');
    const keys = play.sent.filter(({ topic }) => topic === topics.tasks('a')).map(({ key }) => key);
    assert.deepEqual(keys, ['m/t', 'm/t']);
    play.started(again);
    play.completed(again);
    assert.equal(play.facts('m').at(-1)?.event_type, 'mission_completed');
    verify();
  });

  it('is sent again ever more rarely, also after a restart', () => {
    const { play, pass } = playWith();
    play.submit('m', one);
    for (let minute = 0; minute < 23 * 60; minute += 1) pass(60_000);
    // After 5, 10, 20 and 40 minutes, and then each hour.
    assert.equal(play.assignments().length, 1 + 4 + 21);
    play.restart();
    pass(scheduleToStartMs - 1);
    assert.equal(play.assignments().length, 26);
    pass(1);
    assert.equal(play.assignments().length, 27);
  });

  it('only waits its turn while all agents of its role are busy, or none is there', () => {
    const { play, agents, pass } = playWith({ free: 0 });
    play.submit('m', one);
    pass(10 * scheduleToStartMs);
    assert.equal(play.assignments().length, 1);
    agents.free = 1;
    pass(1);
    assert.equal(play.assignments().length, 2);
  });

  it('is not sent again once it is begun, even if that was reported after it was looked', () => {
    const { play } = playWith();
    play.submit('m', one);
    const [first] = play.assignments();
    assert.ok(first !== undefined);
    play.now += scheduleToStartMs;
    play.missions.look(play.now);
    play.started(first);
    play.ring();
    assert.equal(play.assignments().length, 1);
  });

  it('goes on where it was when a resume is lost', () => {
    const { play, pass } = playWith();
    play.submit('m', one);
    const [first] = play.assignments();
    assert.ok(first !== undefined);
    play.started(first);
    play.released(first);
    pass(scheduleToStartMs);
    const [, resumed, again] = play.assignments();
    assert.deepEqual([resumed?.payload.lease, again?.payload.lease], [2, 2]);
    assert.equal(again?.payload.journal_offset, 0);
    assert.ok((again?.payload.timeout_ms ?? 0) < (resumed?.payload.timeout_ms ?? 0));
  });
});

describe('a role whose topic is gone', () => {
  it('fails its tasks with topic_missing, begun or waiting, and nothing else stops', () => {
    const { play, pass, codes, verify } = playWith({ outstanding: 1 });
    const tasks = ['t0', 't1'].map((id) => taskSpec({ id, role: 'a' }));
    play.submit('m', { tasks, on_failure: 'continue' });
    play.submit('n', { tasks: [taskSpec({ id: 'u', role: 'b' })] });
    play.roles.delete('a');
    pass(5_000);
    assert.deepEqual(codes('m'), [], 'it may come back');
    play.gone.add('a');
    pass(30_000);
    assert.deepEqual(codes('m').slice(0, 2), [
      ['t0', 'topic_missing'],
      ['t1', 'topic_missing'],
    ]);
    assert.equal(play.facts('m').at(-1)?.event_type, 'mission_failed');
    const [, other] = play.assignments();
    assert.ok(other?.correlation_id === 'n');
    play.completed(other);
    assert.equal(play.facts('n').at(-1)?.event_type, 'mission_completed');
    verify();
  });

  it('is no reason to refuse the report after which something is assigned to it: the assignment waits, and is sent when the topic is back', () => {
    const { play, pass } = playWith();
    const tasks = [taskSpec({ id: 't', role: 'a' }), taskSpec({ id: 'u', role: 'b', needs: ['t'] })];
    play.submit('m', { tasks });
    play.roles.delete('b');
    const [first] = play.assignments();
    assert.ok(first !== undefined);
    play.completed(first);
    assert.deepEqual(play.waiting(), ['dispatch/m/u']);
    play.restart();
    pass(1_000);
    assert.equal(play.assignments('b').length, 0);
    play.roles.add('b');
    pass(1_000);
    assert.equal(play.assignments('b').length, 1);
    assert.deepEqual(play.waiting(), []);
  });

  it('gets no cancellations, which nobody could read', () => {
    const { play } = playWith();
    play.submit('m', one);
    play.roles.delete('a');
    play.cancel('m');
    const sent = play.sent.filter(({ topic }) => topic === topics.tasks('a'));
    assert.equal(sent.length, 1);
    assert.equal(play.facts('m').at(-1)?.event_type, 'task_cancelled');
  });
});
