import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';
import { heuristicAnswer } from '#worker/heuristic-plan.ts';
import { decide } from './decide.ts';
import type { FactDraft } from './facts.ts';
import type { Input } from './input.ts';
import { placed } from './journey.ts';
import { noTail, type SealedFact, seal, type Tail } from './ledger.ts';
import { heuristicPlanner } from './planning.ts';
import { attemptFailed, completed, history, policy, start, submit } from './scenario.ts';
import type { MissionState } from './state.ts';
import { createVerifier } from './verify.ts';

const brief = 'Research the market, compare the offers and write a report';
const roles = ['researcher', 'analyst', 'drummer', 'camina'];
const mission = (planner: string, rules: number, more: object = {}) => {
  const options = { ...policy.options, planner, hierarchy: 'tiers', agents: 10, ...more };
  return submit([], { brief, roles, policy: { ...policy, options }, rules });
};
const find = <T extends FactDraft['event_type']>(facts: readonly FactDraft[], type: T, nth = 0) => {
  const found = facts.filter(({ event_type }) => event_type === type)[nth];
  assert.ok(found !== undefined, type);
  return found.payload as PayloadOf<T>;
};
const asked = history(mission('heuristic', 1)).facts;
const answer = heuristicAnswer(find(asked, 'task_assigned'));

describe('a mission that is planned without a model', () => {
  it('begins with a planning task that says so', () => {
    const { task_id, kind, role, model, agents, roles: known, description } = find(asked, 'task_assigned');
    assert.deepEqual(
      [asked.length, task_id, kind, role, model, agents, known, description],
      [2, 'plan', 'plan', 'orchestrator', heuristicPlanner, 10, roles, brief],
    );
  });

  it('takes what is answered, with the tiers over it, and says who planned', () => {
    const { facts, state } = history(mission('heuristic', 1), completed('plan', {}, answer));
    const { made_by, notes, tasks } = find(facts, 'plan_created');
    assert.equal(made_by, 'heuristic');
    assert.match(notes[0] ?? '', /^planned without a model \(research\)/);
    const old = find(history(mission('heuristic', 0)).facts, 'plan_created');
    // As a brief was planned before.
    assert.deepEqual(tasks, old.tasks);
    assert.deepEqual(notes, old.notes);
    assert.deepEqual([state.status, state.rules], ['running', 1]);
  });

  it('fails when that is no plan, or its notes are none', () => {
    const wrong = [
      [completed('plan', {}, 'no'), 'invalid_plan'],
      [completed('plan', {}, JSON.stringify({ ...JSON.parse(answer), notes: [1] })), 'invalid_plan'],
      [attemptFailed('plan', 'role_unknown'), 'task_failed'],
      // Nobody is left to be asked.
      [attemptFailed('plan', 'key_missing'), 'task_failed'],
    ] as const;
    for (const [input, code] of wrong) {
      const { facts } = history(mission('heuristic', 1), input);
      assert.equal(find(facts, 'mission_failed').code, code);
    }
  });

  it('spends nothing of the budget on it', () => {
    const budget = { tokens: 100, calls: 10, cost_nanos: 1_000_000, time_ms: -1 };
    const reserved = find(history(mission('heuristic', 1, { budget })).facts, 'task_assigned').budget;
    assert.deepEqual([reserved?.tokens, reserved?.calls, reserved?.cost_nanos], [0, 0, 0]);
  });
});

describe('where no model can plan', () => {
  const fallback = [mission('auto', 1), attemptFailed('plan', 'key_missing')] as const;

  it('the planner that needs none is asked, once', () => {
    const { facts, state } = history(...fallback, completed('replan-0', {}, answer));
    const first = find(facts, 'plan_created');
    assert.deepEqual([first.made_by, first.tasks.map(({ id }) => id)], ['fallback', ['replan-0']]);
    assert.match(first.notes[0] ?? '', /^no model could plan \(key_missing\): it broke/);
    assert.equal(find(facts, 'task_assigned', 1).model, heuristicPlanner);
    assert.equal(find(facts, 'plan_created', 1).made_by, 'heuristic');
    assert.deepEqual([state.status, state.replans], ['running', 0]);
    const again = history(...fallback, attemptFailed('replan-0', 'key_missing')).facts;
    assert.equal(find(again, 'mission_failed').code, 'task_failed');
  });

  it('a late report of the first planning finds nothing', () => {
    const { state } = history(...fallback);
    const late = decide(state, completed('plan', {}, answer), { now: start + 9 });
    assert.deepEqual(late, { kind: 'ignored', reason: 'TaskUnknown' });
  });

  it('it is not, in a mission that wants a model', () => {
    const { facts } = history(mission('model', 1), attemptFailed('plan', 'key_missing'));
    assert.equal(find(facts, 'mission_failed').code, 'task_failed');
  });
});

describe('the ledger of such a mission', () => {
  const codec = createCodec(numberedIds());

  /** A ledger of these inputs, of which somebody has changed a fact before it was sealed. */
  function verified(inputs: readonly Input[], change: (fact: FactDraft) => FactDraft = (fact) => fact) {
    let state: MissionState | null = null;
    let tail: Tail = noTail;
    const events: SealedFact[] = [];
    inputs.forEach((input, position) => {
      const now = start + position;
      const decision = decide(state, input, { now });
      assert.ok(decision.kind === 'facts');
      const about = { mission_id: 'm1', priority: 'normal', causation_id: `c${position}`, now } as const;
      const sealed = seal(decision.facts.map(change), { ...about, tail, codec });
      ({ state } = decision);
      ({ tail } = sealed);
      events.push(...sealed.events);
    });
    const verifier = createVerifier(codec);
    const during = placed(events.map(({ bytes }) => bytes)).flatMap((each) => verifier.feed(each) ?? []);
    const { findings, summary } = verifier.end();
    return [[...during, ...findings].map(({ what }) => what), summary.plans_as_written] as const;
  }

  it('verifies whatever a decomposer answers, without an exemption', () => {
    const other = answer.replaceAll('Research', 'Look into');
    assert.notEqual(other, answer);
    for (const result of [answer, other]) {
      assert.deepEqual(verified([mission('heuristic', 1), completed('plan', {}, result)]), [[], 0]);
    }
  });

  it('does not verify when the plan is another, which rules 0 takes as written', () => {
    const reworded = (fact: FactDraft): FactDraft => {
      if (fact.event_type !== 'plan_created') return fact;
      const tasks = fact.payload.tasks.map((each) =>
        each.role === 'drummer' ? { ...each, description: 'Sum it up.' } : each,
      );
      return { ...fact, payload: { ...fact.payload, tasks } };
    };
    const plan_only = { plan_only: true };
    assert.deepEqual(verified([mission('heuristic', 0, plan_only)], reworded), [[], 1]);
    const answered = [mission('heuristic', 1, plan_only), completed('plan', {}, answer)];
    assert.deepEqual(verified(answered, reworded), [['decision_differs'], 0]);
  });
});
