import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { childId, reportToParent } from './children.ts';
import { decide } from './decide.ts';
import type { FactDraft, FactEvent } from './facts.ts';
import type { Decision } from './input.ts';
import { placed } from './journey.ts';
import { noTail, seal } from './ledger.ts';
import { attemptFailed, completed, envelope, history, policy, start, submit, task } from './scenario.ts';
import { createVerifier } from './verify.ts';

const types = (facts: readonly FactDraft[]) => facts.map(({ event_type }) => event_type);
const brief = 'Research the market, compare the offers and write a report';
const roles = ['researcher', 'analyst', 'drummer', 'camina'];
const options = { ...policy.options, planner: 'heuristic', hierarchy: 'tiers' };
const made = submit([], { brief, roles, policy: { ...policy, options }, rules: 0 });

describe('a plan that rules 0 made', () => {
  it('is taken as it was written, and all after it recomputed', () => {
    const codec = createCodec(numberedIds());
    const usual = decide(null, made, { now: start });
    assert.ok(usual.kind === 'facts');
    const [, plan] = usual.facts;
    assert.ok(plan?.event_type === 'plan_created');
    const tasks = plan.payload.tasks.map((each) => ({
      ...each,
      description: `${each.description} (older words)`,
    }));
    const verify = (decision: Decision, change = (facts: readonly FactDraft[]) => facts) => {
      assert.ok(decision.kind === 'facts');
      const about = { mission_id: 'm1', priority: 'normal', causation_id: 'c', now: start } as const;
      const sealed = seal(change(decision.facts), { ...about, tail: noTail, codec });
      const verifier = createVerifier(codec);
      const found = placed(sealed.events.map(({ bytes }) => bytes)).flatMap(
        (each) => verifier.feed(each) ?? [],
      );
      const { findings, summary } = verifier.end();
      return [[...found, ...findings].map(({ what }) => what), summary.plans_as_written];
    };
    assert.deepEqual(verify(usual), [[], 0]);
    const older = decide(null, made, { now: start, written: { tasks, notes: [] } });
    assert.deepEqual(verify(older), [[], 1]);
    // The plan alone may not differ: what is assigned has to be what it says.
    const mixed = (facts: readonly FactDraft[]) =>
      facts.with(1, { ...plan, payload: { ...plan.payload, tasks } });
    assert.deepEqual(verify(usual, mixed)[0], ['decision_differs']);
  });

  it('is the way out where no model can plan, unless the mission wants a model', () => {
    const auto = submit([], { brief, roles, rules: 0 });
    const facts = history(auto, attemptFailed('plan', 'key_missing')).facts;
    const plan = facts.find(({ event_type }) => event_type === 'plan_created');
    assert.ok(plan?.event_type === 'plan_created' && plan.payload.made_by === 'heuristic');
    assert.match(plan.payload.notes[0] ?? '', /^no model could plan \(key_missing\): it broke/);
    const model = { ...auto, policy: { ...policy, options: { ...policy.options, planner: 'model' } } };
    assert.equal(
      history(model, attemptFailed('plan', 'key_missing')).facts.at(-1)?.event_type,
      'mission_failed',
    );
  });

  it('fails the mission when a model names a role that is none', () => {
    const unknown = JSON.stringify({ tasks: [{ id: 'a', role: 'nobody' }] });
    const last = history(submit([], { brief, roles }), completed('plan', {}, unknown)).facts.at(-1);
    assert.ok(last?.event_type === 'mission_failed' && last.payload.code === 'invalid_plan');
  });
});

describe('a replan', () => {
  const replan = { policy: { ...policy, on_failure: 'replan' } };

  it('keeps what is done and runs, drops the rest, and begins new tasks under new ids', () => {
    const tasks = [task('a'), task('b'), task('c'), task('d', ['b'])];
    const again = JSON.stringify({ tasks: [{ id: 'd', role: 'd_role', needs: ['a'] }] });
    const { state, facts } = history(
      submit(tasks, replan),
      completed('a'),
      attemptFailed('b', 'unauthorized'),
      completed('replan-1', {}, again),
    );
    assert.deepEqual(
      state.plan?.tasks.map(({ id, needs, wave }) => [id, needs, wave]),
      [
        ['a', [], 1],
        ['c', [], 1],
        ['r1.d', ['a'], 2],
      ],
    );
    assert.equal(types(facts).filter((type) => type === 'task_cancelled').length, 1);
    assert.deepEqual(decide(state, completed('b'), { now: start + 9 }), {
      kind: 'ignored',
      reason: 'TaskUnknown',
    });
    const end = history(
      submit(tasks, replan),
      attemptFailed('a', 'unauthorized'),
      completed('replan-1', {}, '[]'),
    );
    assert.equal(end.state.status, 'failed');
  });

  it('is tried as often as the mission says', () => {
    const limited = { ...policy, on_failure: 'replan', options: { ...policy.options, max_replans: 1 } };
    const again = JSON.stringify({ tasks: [{ id: 'a', role: 'a_role' }] });
    const last = history(
      submit([task('a')], { policy: limited }),
      attemptFailed('a', 'unauthorized'),
      completed('replan-1', {}, again),
      attemptFailed('r1.a', 'unauthorized'),
    ).facts.at(-1);
    assert.ok(last?.event_type === 'mission_failed');
    assert.match(last.payload.message, /no replan is left/);
  });
});

describe('a mission within a mission', () => {
  it('has an id that follows from its task, and reports what it used', () => {
    assert.equal(childId('m', 't', 2), 'm:t:2');
    assert.equal(childId('m'.repeat(128), 't', 1), childId('m'.repeat(128), 't', 1));
    assert.ok(childId('m'.repeat(128), 't', 1).length <= 128);
    const parent = { mission_id: 'p', task_id: 't', attempt: 2, lease: 1 };
    const { state, facts } = history(
      submit([task('a')], { parent, depth: 5 }),
      completed('a', {}, 'x', { calls: 3 }),
    );
    const end = { ...facts.at(-1), ...envelope(), event_id: 'e' } as FactEvent;
    const report = reportToParent(state, end);
    assert.ok(report?.event_type === 'task_completed' && report.correlation_id === 'p');
    const { attempt, usage, duration_ms, result } = report.payload;
    assert.deepEqual([attempt, usage.calls, duration_ms, result], [2, 3, 5, 'x']);
    const deep = history(submit([task('a')], { parent, depth: 6 })).facts;
    assert.ok(deep[0]?.event_type === 'mission_rejected' && deep[0].payload.code === 'too_deep');
  });
});
