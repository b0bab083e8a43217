import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evolve } from './evolve.ts';
import { factsOf, journeys, type Step, travel } from './journey.ts';
import { envelope } from './scenario.ts';
import { inFlight, type MissionState, missionHasEnded, taskHasEnded } from './state.ts';

const ends = ['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected'];
const taskEnds = ['task_completed', 'task_failed', 'task_cancelled'];
const runs = { numRuns: 150 };

/** What has to hold on every journey. */
function property(name: string, holds: (steps: readonly Step[]) => void): void {
  it(name, () => {
    fc.assert(
      fc.property(journeys(), (journey) => holds(travel(journey))),
      runs,
    );
  });
}

const statesOf = (steps: readonly Step[]): MissionState[] =>
  steps.flatMap(({ decision }) => (decision.kind === 'facts' ? [decision.state] : []));

describe('on every journey', () => {
  property('a mission ends exactly once, with its last fact', (steps) => {
    const facts = factsOf(steps);
    assert.equal(facts.filter(({ event_type }) => ends.includes(event_type)).length, 1);
    assert.ok(ends.includes(facts.at(-1)?.event_type ?? ''));
    const state = statesOf(steps).at(-1);
    assert.ok(state !== undefined && missionHasEnded(state) && state.tasks.every(taskHasEnded));
  });

  property('a task has at most one accepted end', (steps) => {
    const ended = new Set<string>();
    for (const { event_type, payload } of factsOf(steps)) {
      if (!taskEnds.includes(event_type) || !('task_id' in payload)) continue;
      assert.ok(!ended.has(payload.task_id), `${payload.task_id} ended twice`);
      ended.add(payload.task_id);
    }
  });

  property('no task is assigned before all it needs has completed, nor in an attempt that was', (steps) => {
    const complete = new Set<string>();
    const assigned = new Set<string>();
    const needs = new Map(
      steps[0]?.input.kind === 'submit' ? steps[0].input.tasks.map((t) => [t.id, t.needs]) : [],
    );
    for (const { event_type, payload } of factsOf(steps)) {
      if (event_type === 'task_completed') complete.add(payload.task_id);
      if (event_type !== 'task_assigned') continue;
      const { task_id, attempt, lease } = payload;
      for (const need of needs.get(task_id) ?? ['?'])
        assert.ok(complete.has(need), `${task_id} before ${need}`);
      const which = `${task_id} ${attempt} ${lease}`;
      assert.ok(!assigned.has(which), `${which} twice`);
      assigned.add(which);
    }
  });

  property('no more is in flight than may be', (steps) => {
    for (const { tasks, policy } of statesOf(steps)) {
      assert.ok(tasks.filter(inFlight).length <= policy.max_in_flight);
    }
  });

  property('places in flight are used: a ready task is pending only when all are taken', (steps) => {
    for (const { tasks, plan, policy, ...state } of statesOf(steps)) {
      if (missionHasEnded({ tasks, plan, policy, ...state })) continue;
      const ready = tasks.filter(
        ({ status }, position) =>
          status === 'pending' && plan?.needs[position]?.every((need) => tasks[need]?.status === 'completed'),
      );
      assert.ok(ready.length === 0 || tasks.filter(inFlight).length === policy.max_in_flight);
    }
  });

  property('a mission in which nothing failed in time completes, with all its tasks', (steps) => {
    const state = statesOf(steps).at(-1);
    const failed = factsOf(steps).some(
      ({ event_type, payload }) =>
        event_type === 'task_failed' || ('timer' in payload && payload.timer === 'deadline'),
    );
    assert.equal(state?.status, failed ? 'failed' : 'completed');
    if (!failed) assert.ok(state?.tasks.every(({ status }) => status === 'completed'));
  });

  property('waves start once and complete once, in that order, with all their tasks ended', (steps) => {
    const facts = factsOf(steps);
    const startedAt = new Map<number, number>();
    const completedAt = new Map<number, number>();
    facts.forEach((fact, position) => {
      if (fact.event_type !== 'wave_started' && fact.event_type !== 'wave_completed') return;
      const seen = fact.event_type === 'wave_started' ? startedAt : completedAt;
      assert.ok(!seen.has(fact.payload.wave), `${fact.event_type} ${fact.payload.wave} twice`);
      seen.set(fact.payload.wave, position);
      if (fact.event_type === 'wave_completed') {
        assert.ok((startedAt.get(fact.payload.wave) ?? Number.POSITIVE_INFINITY) < position);
      }
    });
    if (facts.at(-1)?.event_type === 'mission_completed') assert.equal(completedAt.size, startedAt.size);
  });

  property('the first timer that is due is never stale', (steps) => {
    steps.forEach(({ input, decision }, position) => {
      if (input.kind !== 'timer' || steps[position - 1]?.input.kind === 'timer') return;
      if (input.timer !== 'retry' && input.timer !== 'timeout') return;
      const again = steps.slice(0, position).some((step) => step.input === input);
      if (!again) assert.equal(decision.kind, 'facts', JSON.stringify(input));
    });
  });

  property('folding the facts gives the state that was decided on', (steps) => {
    let state: MissionState | null = null;
    for (const { decision, now, before } of steps) {
      if (decision.kind === 'ignored') continue;
      // A renewed lease is no fact; all else has to agree.
      assert.deepEqual(withoutLeases(state), withoutLeases(before));
      for (const fact of decision.facts) state = evolve(state, fact, envelope(now));
      assert.deepEqual(withoutLeases(state), withoutLeases(decision.state));
    }
  });

  it('every kind of fact and of ignored input comes up', () => {
    const seen = new Set<string>();
    for (const journey of fc.sample(journeys(), { numRuns: 400, seed: 7 })) {
      for (const { decision } of travel(journey)) {
        if (decision.kind === 'ignored') seen.add(decision.reason);
        else for (const { event_type } of decision.facts) seen.add(event_type);
      }
    }
    const wanted =
      'mission_accepted plan_created wave_started wave_completed task_assigned task_started task_completed ' +
      'task_attempt_failed task_failed task_released task_cancelled timer_fired mission_completed ' +
      'mission_failed MissionAlreadyKnown MissionEnded TaskUnknown TaskEnded NotAssigned AttemptEnded ' +
      'AttemptStale LeaseStale AlreadyStarted TimerStale';
    for (const each of wanted.split(' ')) assert.ok(seen.has(each), `no journey has ${each}`);
  });
});

const withoutLeases = (state: MissionState | null) =>
  state && { ...state, tasks: state.tasks.map((task) => ({ ...task, lease_until: 0 })) };
