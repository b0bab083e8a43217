import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Transaction } from '#chassis/transaction.ts';
import { type Codec, createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay } from './partition-play.ts';

const tasks = ['t0', 't1'].map((id) => taskSpec({ id, role: 'a' }));
const limits = { max_in_flight: 0, task_timeout_ms: 0, deadline_ms: 600_000, lease_ms: 0, max_attempts: 0 };
const codec = createCodec(numberedIds());

/** What nobody can encode while `broken` says so. */
function brokenFor(broken: { task: string }): Codec {
  return {
    ...codec,
    encode(event) {
      if (
        event.event_type === 'timer_fired' &&
        'task_id' in event.payload &&
        event.payload.task_id === broken.task
      )
        throw new Error('no');
      return codec.encode(event);
    },
  };
}

const fired = (play: PartitionPlay) =>
  play
    .facts('m')
    .filter(({ event_type }) => event_type === 'timer_fired')
    .map(({ payload }) => [payload['timer'], payload['task_id']].join(' ').trim());

describe('a timer that cannot be decided', () => {
  it('is tried again after a pause, and the other timers of its mission, the deadline too, go on', () => {
    const broken = { task: 't0' };
    const play = new PartitionPlay({ roles: ['a'], codec: brokenFor(broken) });
    play.submit('m', { tasks, limits });
    for (const each of play.assignments()) play.started(each);
    play.now += 60_000;
    play.ring();
    assert.deepEqual(fired(play), ['lease t1']);
    const again = play.missions.nextAlarm();
    assert.ok(again !== null && again > play.now && again <= play.now + 1_000, `again at ${again}`);
    play.now = again;
    play.ring();
    const later = play.missions.nextAlarm();
    assert.ok(later !== null && later > play.now + 1_000, 'each pause is longer');
    broken.task = '';
    play.now = later;
    play.ring();
    assert.deepEqual(fired(play), ['lease t1', 'lease t0']);
    broken.task = 't0';
    for (const each of play.assignments().slice(2)) play.started(each);
    play.now += 700_000;
    play.ring();
    assert.ok(fired(play).includes('deadline'));
    assert.equal(play.facts('m').at(-1)?.payload['code'], 'deadline_passed');
  });
});

/** A transaction that is full after so many records. */
class Small extends Transaction {
  override get full(): boolean {
    return this.records.length >= 10;
  }
}

describe('timers that are due together', () => {
  it('fire in as many transactions as they need: none goes on when it is full', () => {
    const made: Transaction[] = [];
    const transaction = () => {
      const small = new Small();
      made.push(small);
      return small;
    };
    const play = new PartitionPlay({ roles: ['a'], outstanding: 1_000, transaction });
    const many = Array.from({ length: 40 }, (_, at) => taskSpec({ id: `t${at}`, role: 'a' }));
    for (const id of ['m', 'n']) play.submit(id, { tasks: many });
    const assigned = play.assignments();
    for (const each of assigned) play.started(each);
    play.now += 120_000;
    for (
      let due = play.missions.nextAlarm();
      due !== null && due <= play.now;
      due = play.missions.nextAlarm()
    )
      play.ring();
    for (const { records } of made) assert.ok(records.length <= 12, `found ${records.length} records`);
    assert.ok(made.length > 10);
    const resumed = play.assignments().slice(assigned.length);
    assert.equal(resumed.length, assigned.length);
    assert.ok(resumed.every(({ payload }) => payload.lease === 2));
  });
});
