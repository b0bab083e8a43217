/** Missions that would go on for ever, or cost without end, and do not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noOptions } from '#schemas/mission-command.ts';
import type { EventOf, TaskSpec } from '#schemas/types.gen.ts';
import { commandToChild } from './children.ts';
import { decide } from './decide.ts';
import type { FactDraft } from './facts.ts';
import type { Decision, Input } from './input.ts';
import { inputOf } from './intake.ts';
import { deepestMission } from './policy.ts';
import { newestRules } from './rules.ts';
import { attemptFailed, completed, envelope, policy, start, started, submit, task } from './scenario.ts';
import type { MissionState } from './state.ts';

const roles = new Set(['orchestrator', 'a_role']);
const plans = (tasks: readonly object[]) => JSON.stringify({ tasks });
const again = (id: string): TaskSpec => ({
  ...task(id),
  role: 'orchestrator',
  kind: 'mission',
  description: 'Again.',
});

/** Plays a mission in which everybody answers at once, for as long as anything is assigned. */
function play(
  first: Input,
  answerOf: (fact: FactDraft & { event_type: 'task_assigned' }) => readonly Input[],
) {
  let state: MissionState | null = null;
  const facts: FactDraft[] = [];
  const waiting: Input[] = [first];
  for (
    let now = start, input = waiting.shift();
    input !== undefined;
    now += 60_000, input = waiting.shift()
  ) {
    assert.ok(now < start + 2_000 * 60_000, 'it does not end');
    const decision: Decision = decide(state, input, { now });
    if (decision.kind === 'ignored') continue;
    state = decision.state;
    facts.push(...decision.facts);
    for (const fact of decision.facts) {
      if (fact.event_type === 'task_assigned')
        waiting.push(...answerOf(fact as FactDraft & { event_type: 'task_assigned' }));
    }
  }
  return { facts, end: facts.at(-1) };
}

describe('a mission that plans itself without end', () => {
  it('is refused at its depth, when missions make missions', () => {
    const rule = { code: 'timeout', role: 'a_role', max_attempts: 2, initial_ms: 0, max_ms: 0 };
    const retries = { retries: [{ ...rule, role: '' }], role_retries: [rule] };
    const options = { ...policy.options, ...retries };
    let input = submit([again('a')], { policy: { ...policy, options } }) as ReturnType<typeof inputOf>;
    for (let depth = 0; ; depth++) {
      assert.ok(depth <= deepestMission + 1, 'it goes deeper');
      const decision = decide(null, input, { now: start });
      assert.ok(decision.kind === 'facts');
      const [first] = decision.facts;
      if (first?.event_type === 'mission_rejected') {
        assert.equal(first.payload.code, 'too_deep');
        assert.equal(depth, deepestMission + 1);
        return;
      }
      const draft = decision.facts.find(({ event_type }) => event_type === 'task_assigned');
      assert.ok(draft, 'the child is assigned');
      const chained = {
        ...envelope(),
        ...draft,
        event_id: 'f',
        version: 1,
        causation_id: '',
        sequence: 1,
        previous_hash: '',
      };
      const child = commandToChild(decision.state, chained as unknown as EventOf<'task_assigned'>);
      // How attempts are tried again goes down, too.
      assert.partialDeepStrictEqual(child.options, retries);
      // What a mission within it would plan is again a mission.
      const command = { ...child, tasks: [again('a')] };
      input = inputOf({ mission_id: command.correlation_id, event_id: 'c', command }, '', roles, newestRules);
    }
  });

  it('is given up after so many plans, when every plan fails', () => {
    for (const max_replans of [1, 3]) {
      const options = { ...policy.options, planner: 'model', max_replans };
      const mission = submit([], { roles: ['a_role'], policy: { ...policy, on_failure: 'replan', options } });
      const { facts, end } = play(mission, ({ payload: { task_id, kind } }) => {
        if (kind !== 'plan') return [started(task_id), attemptFailed(task_id, 'invalid_output')];
        const next = [{ id: 'a', role: 'a_role', description: 'Do it.', needs: [] }];
        return [started(task_id), completed(task_id, {}, plans(next))];
      });
      assert.ok(end?.event_type === 'mission_failed', JSON.stringify(end));
      assert.match(end.payload.message, /no replan is left/);
      const made = facts.filter(
        (fact) => fact.event_type === 'plan_created' && fact.payload.made_by === 'replanning',
      );
      assert.equal(made.length, max_replans);
    }
  });

  it('is refused as a plan of more tasks than a plan may have', () => {
    const many = Array.from({ length: 2_001 }, (_, at) => ({
      id: `t${at}`,
      role: 'a_role',
      description: 'x',
      needs: [],
    }));
    const { end } = play(submit([], { roles: ['a_role'] }), ({ payload: { task_id } }) => [
      started(task_id),
      completed(task_id, {}, plans(many)),
    ]);
    assert.ok(
      end?.event_type === 'mission_failed' && end.payload.code === 'invalid_plan',
      JSON.stringify(end),
    );
    assert.match(end.payload.message ?? '', /found 2001/);
  });
});

describe('a budget', () => {
  it('ends the mission before the task that it does not reach for', () => {
    const budget = { tokens: -1, calls: 5, cost_nanos: -1, time_ms: -1 };
    const options = { ...noOptions, ...policy.options, budget, per_task: { ...budget, calls: 2 } };
    const tasks = ['a', 'b', 'c', 'd'].map((id, at, all) => task(id, all.slice(0, at)));
    const { facts, end } = play(
      submit(tasks, { policy: { ...policy, options } }),
      ({ payload: { task_id } }) => [started(task_id), completed(task_id, {}, 'done', { calls: 2 })],
    );
    assert.ok(
      end?.event_type === 'mission_failed' && end.payload.code === 'budget_exhausted',
      JSON.stringify(end),
    );
    const assigned = facts.flatMap((fact) =>
      fact.event_type === 'task_assigned' ? [fact.payload.task_id] : [],
    );
    assert.deepEqual(assigned, ['a', 'b']);
    assert.ok(facts.every(({ event_type }) => event_type !== 'task_failed'));
  });
});
