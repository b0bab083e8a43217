import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { everybody, PartitionPlay, topics } from './partition-play.ts';

const tasks = (count: number, more: Partial<TaskSpec> = {}, role = 'a'): TaskSpec[] =>
  Array.from({ length: count }, (_, i) => taskSpec({ id: `t${i}`, role, ...more }));

const which = ({ correlation_id, payload }: EventOf<'task_assigned'>) =>
  `${correlation_id}/${payload.task_id}/${payload.attempt}/${payload.lease}`;

/** Sent, and neither begun nor over. */
class Agent {
  readonly open: EventOf<'task_assigned'>[] = [];
  readonly running: EventOf<'task_assigned'>[] = [];
  private seen = 0;
  private readonly play: PartitionPlay;

  constructor(play: PartitionPlay) {
    this.play = play;
  }

  fetch(): void {
    const all = this.play.assignments();
    this.open.push(...all.slice(this.seen));
    this.seen = all.length;
  }

  begin(): boolean {
    this.fetch();
    const next = this.open.shift();
    if (next === undefined) return false;
    this.play.started(next);
    this.running.push(next);
    this.fetch();
    return true;
  }

  end(): boolean {
    const next = this.running.shift();
    if (next === undefined) return false;
    this.play.completed(next);
    this.fetch();
    return true;
  }

  release(): boolean {
    const next = this.running.shift();
    if (next === undefined) return false;
    this.play.released(next);
    this.fetch();
    return true;
  }
}

describe('dispatch', () => {
  it('sends at once what there is room for, without a record in the changelog', () => {
    const play = new PartitionPlay({ roles: ['a'], outstanding: 3 });
    play.submit('m', { tasks: tasks(3) });
    assert.equal(play.assignments().length, 3);
    assert.deepEqual(play.waiting(), []);
  });

  it('holds back what is more, and sends it when an assignment is begun', () => {
    const play = new PartitionPlay({ roles: ['a'], outstanding: 2 });
    play.submit('m', { tasks: tasks(4) });
    const [first] = play.assignments();
    assert.equal(play.assignments().length, 2);
    assert.deepEqual(play.waiting(), ['dispatch/m/t2', 'dispatch/m/t3']);
    assert.ok(first);
    play.started(first);
    assert.deepEqual(play.assignments().map(which), ['m/t0/1/1', 'm/t1/1/1', 'm/t2/1/1']);
    assert.deepEqual(play.waiting(), ['dispatch/m/t3']);
  });

  it('gives each role its own room', () => {
    const play = new PartitionPlay({ roles: ['a', 'b'], outstanding: 1 });
    play.submit('m', { tasks: [...tasks(2), taskSpec({ id: 'other', role: 'b' })] });
    assert.equal(play.assignments('a').length, 1);
    assert.equal(play.assignments('b').length, 1);
  });

  it('has room for as many as the live agents of the role can hold; for 32 when nobody is known', () => {
    for (const [capacity, sent] of [
      [0, 32],
      [1, 4],
      [8, 8],
      [50, 50],
    ] as const) {
      const play = new PartitionPlay({ roles: ['a'], agents: { ...everybody, capacity: () => capacity } });
      play.submit('m', { tasks: tasks(60) });
      assert.equal(play.assignments().length, sent);
    }
  });

  it('lets the mission of high priority go first, and within one the task that says so', () => {
    const play = new PartitionPlay({ roles: ['a'], outstanding: 1 });
    play.submit('low', { priority: 'low', tasks: tasks(2) });
    play.submit('high', {
      priority: 'high',
      tasks: [taskSpec({ id: 'later', role: 'a', priority: 'low' }), taskSpec({ id: 'first', role: 'a' })],
    });
    const agent = new Agent(play);
    while (agent.begin());
    const order = play
      .assignments()
      .map(({ correlation_id, payload }) => `${correlation_id}/${payload.task_id}`);
    assert.deepEqual(order, ['low/t0', 'high/first', 'low/t1', 'high/later']);
  });

  it('neither sends nor cancels at its role what was cancelled while it waited', () => {
    const play = new PartitionPlay({ roles: ['a'], outstanding: 1 });
    play.submit('m', { tasks: tasks(3) });
    play.cancel('m');
    const commands = play.sent.filter(({ topic }) => topic === topics.tasks('a'));
    assert.deepEqual(
      commands.map(({ value }) => ('event_type' in value ? value.event_type : '')),
      ['task_assigned', 'task_cancelled'],
    );
    assert.deepEqual(play.waiting(), []);
    play.submit('n', { tasks: tasks(1) });
    assert.equal(play.assignments().length, 2, 'the room is free again');
  });

  it('gives a resume before anything that waits', () => {
    const play = new PartitionPlay({ roles: ['a'], outstanding: 1 });
    play.submit('m', { tasks: tasks(3) });
    const agent = new Agent(play);
    agent.begin();
    agent.release();
    agent.begin();
    assert.deepEqual(play.assignments().map(which), ['m/t0/1/1', 'm/t1/1/1', 'm/t0/1/2']);
  });

  it('sends each assignment exactly once and never more than there is room for, whatever happens', () => {
    const mission = fc.record({
      priority: fc.constantFrom('high' as const, 'normal' as const, 'low' as const),
      count: fc.integer({ min: 1, max: 8 }),
    });
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('submit' as const), mission }) },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constantFrom('begin', 'begin', 'end', 'release', 'restart', 'cancel'),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, outstanding) => {
        const play = new PartitionPlay({ roles: ['a'], outstanding });
        const agent = new Agent(play);
        const cancelled = new Set<string>();
        const size = new Map<string, number>();
        for (const each of steps) {
          if (each.kind === 'submit' && 'mission' in each) {
            const id = `m${size.size}`;
            size.set(id, each.mission.count);
            play.submit(id, { priority: each.mission.priority, tasks: tasks(each.mission.count) });
          } else if (each.kind === 'begin') agent.begin();
          else if (each.kind === 'end') agent.end();
          else if (each.kind === 'release') agent.release();
          else if (each.kind === 'restart') play.restart();
          else {
            const id = [...size.keys()].find((known) => !cancelled.has(known));
            if (id === undefined) continue;
            cancelled.add(id);
            play.cancel(id);
            for (const list of [agent.open, agent.running]) {
              agent.fetch();
              const kept = list.filter(({ correlation_id }) => correlation_id !== id);
              list.splice(0, list.length, ...kept);
            }
          }
          agent.fetch();
          assert.ok(agent.open.length <= outstanding, `${agent.open.length} are outstanding`);
        }
        while (agent.begin() || agent.end());
        const sent = play.assignments().map(which);
        assert.equal(new Set(sent).size, sent.length, 'nothing is sent twice');
        assert.deepEqual(play.waiting(), [], 'nothing waits for ever');
        for (const [id, count] of size) {
          if (cancelled.has(id)) continue;
          const of = new Set(sent.flatMap((each) => (each.startsWith(`${id}/`) ? [each.split('/')[1]] : [])));
          assert.equal(of.size, count, `all tasks of ${id} are sent`);
        }
      }),
      { numRuns: 300 },
    );
  });
});
