import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { Amounts, Usage } from '#schemas/types.gen.ts';
import { addUsage, nanosOf, noUsage } from '#schemas/usage.ts';
import { amountsOf, left, unaccounted } from './budget.ts';
import { evolve } from './evolve.ts';
import { factsOf, ledgerOf, placed, type Step, travel, wideJourneys } from './journey.ts';
import { envelope } from './scenario.ts';
import { reacts, settles } from './settling.ts';
import {
  fromRecords,
  inFlight,
  type MissionState,
  missionHasEnded,
  taskHasEnded,
  toRecords,
} from './state.ts';
import { timerId } from './timers.ts';
import { suspendedFor, toUndo } from './undoing.ts';
import { createVerifier } from './verify.ts';

const codec = createCodec(numberedIds());

/** What has to hold on every journey with budgets, reviews, plans made and made anew, tiers and partial tasks. */
function property(name: string, holds: (steps: readonly Step[]) => void, numRuns = 150): void {
  it(name, () => {
    fc.assert(
      fc.property(wideJourneys(), (journey) => holds(travel(journey))),
      { numRuns },
    );
  });
}

const statesOf = (steps: readonly Step[]): MissionState[] =>
  steps.flatMap(({ decision }) => (decision.kind === 'facts' ? [decision.state] : []));
const saidOnce = [
  'decision_recorded',
  'checkpoint_created',
  'context_synced',
  'event_emitted',
  'dependency_resolved',
];
const measures = ['tokens', 'calls', 'cost_nanos', 'time_ms'] as const satisfies (keyof Amounts)[];
const ends = ['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected'];

describe('on every wide journey', () => {
  property('what is spent and what is reserved never exceed the budget and what people granted', (steps) => {
    for (const state of statesOf(steps)) {
      const { budget } = state.policy.options;
      const free = left(state);
      // Undoing is never refused for want of a budget.
      if (budget === null || free === null || state.undoing !== '') continue;
      const spent = amountsOf(state.spent, state.spent_ms);
      for (const measure of measures) {
        if (budget[measure] < 0) continue;
        assert.ok(free[measure] >= 0, `${measure}: ${free[measure]} left`);
        const reserved = state.tasks.reduce((sum, task) => sum + (task.reserved?.[measure] ?? 0), 0);
        assert.ok(spent[measure] + reserved <= budget[measure] * (1 + state.grants));
      }
    }
  });

  property(
    'the books are the sum of what was reported and of what was booked in full, in any order',
    (steps) => {
      const entries: Usage[] = [];
      const reserved = new Map<string, Amounts | null>();
      let limited = false;
      for (const { event_type, payload } of factsOf(steps)) {
        if (event_type === 'mission_accepted')
          limited = (payload.policy.options.budget?.cost_nanos ?? -1) >= 0;
        if (event_type === 'task_assigned') reserved.set(payload.task_id, payload.budget);
        if (event_type === 'task_cancelled') {
          entries.push(unaccounted(reserved.get(payload.task_id) ?? null).usage);
          reserved.delete(payload.task_id);
        }
        if (
          event_type !== 'task_completed' &&
          event_type !== 'task_attempt_failed' &&
          event_type !== 'task_failed' &&
          event_type !== 'agent_handoff'
        )
          continue;
        const { usage, task_id } = payload;
        const full = unaccounted(reserved.get(task_id) ?? null).usage.cost_usd;
        entries.push(usage.cost_usd === null && limited ? { ...usage, cost_usd: full } : usage);
        reserved.delete(task_id);
      }
      const last = statesOf(steps).at(-1);
      assert.ok(last);
      assert.deepEqual(last.spent, entries.reduce(addUsage, noUsage));
      assert.deepEqual(last.spent, entries.toReversed().reduce(addUsage, noUsage));
      if (last.spent.cost_usd !== null) {
        assert.equal(
          nanosOf(last.spent.cost_usd),
          entries.reduce((sum, { cost_usd }) => sum + nanosOf(cost_usd ?? 0), 0),
        );
      }
      assert.ok(last.tasks.every((task) => task.reserved === null));
      const end = factsOf(steps).at(-1);
      const told = factsOf(steps).find(({ event_type }) => ends.includes(event_type));
      assert.ok(end && told);
      if ('usage' in told.payload) assert.deepEqual(told.payload.usage, last.spent);
    },
  );

  property('a mission ends once, with all its tasks, and no more is in flight than may be', (steps) => {
    const facts = factsOf(steps);
    assert.equal(facts.filter(({ event_type }) => ends.includes(event_type)).length, 1);
    const states = statesOf(steps);
    const last = states.at(-1);
    assert.ok(last && missionHasEnded(last) && last.tasks.every(taskHasEnded));
    for (const { tasks, policy } of states) {
      assert.ok(tasks.filter(inFlight).length <= policy.max_in_flight);
    }
  });

  property('no attempt begins while a review of the plan or of the budget waits', (steps) => {
    for (const { before, decision } of steps) {
      if (decision.kind === 'ignored' || before?.reviews.some(({ task_id }) => task_id === '') !== true)
        continue;
      if (!decision.state.reviews.some(({ task_id }) => task_id === '')) continue;
      for (const { event_type, payload } of decision.facts) {
        if (event_type === 'task_assigned') assert.ok(payload.lease > 1, `${payload.task_id} is assigned`);
      }
    }
  });

  property(
    'a parked task waits for an answer, for a dependency or for a place; a review is asked and answered once',
    (steps) => {
      const answered = new Set<string>();
      for (const { before, decision } of steps) {
        if (decision.kind === 'ignored') continue;
        const { tasks, plan, reviews, policy } = decision.state;
        tasks.forEach(({ status, timeout_at, timeout_left, lease_until, waiting_for }, position) => {
          assert.ok(status === 'parked' || waiting_for === '');
          if (status !== 'parked') return;
          assert.ok(timeout_at === 0 && lease_until === 0 && timeout_left > 0);
          const asks = reviews.some(({ task_id }) => task_id === plan?.tasks[position]?.id);
          assert.ok(
            asks ||
              waiting_for !== '' ||
              tasks.filter(inFlight).length >= policy.max_in_flight ||
              missionHasEnded(decision.state),
          );
        });
        for (const { event_type, payload } of decision.facts) {
          if (event_type !== 'review_completed') continue;
          assert.ok(before?.reviews.some(({ review_id }) => review_id === payload.review_id));
          if (payload.task_id !== '') continue;
          assert.ok(!answered.has(payload.review_id), `${payload.review_id} again`);
          answered.add(payload.review_id);
        }
      }
    },
  );

  property('a safety violation is followed by the end of its task, whatever attempts are left', (steps) => {
    for (const { decision } of steps) {
      if (decision.kind === 'ignored' || decision.facts[0]?.event_type !== 'safety_violation') continue;
      const [said, next] = decision.facts;
      assert.ok(next?.event_type === 'task_failed' && said?.event_type === 'safety_violation');
      assert.deepEqual([next.payload.task_id, next.payload.code], [said.payload.task_id, 'safety_violation']);
      assert.deepEqual(next.payload.usage, said.payload.usage);
    }
  });

  property(
    'no timer fires twice or after the end, and no mission has only its deadline to wait for',
    (steps) => {
      const seen = new Set<string>();
      let over = false;
      for (const { input, before, decision } of steps) {
        if (decision.kind === 'ignored') continue;
        assert.ok(!over);
        over = missionHasEnded(decision.state);
        if (input.kind !== 'timer') continue;
        const id = timerId('m1', input);
        assert.ok(!seen.has(id), `${id} again`);
        seen.add(id);
        if (input.timer !== 'deadline' || before === null) continue;
        const goesOn = before.tasks.some((task) => inFlight(task) || task.status === 'waiting');
        assert.ok(goesOn || before.reviews.length > 0 || settles(before, before.sequence));
      }
    },
  );

  property('a step of an attempt is said once, and who waits for what is there goes on with it', (steps) => {
    const said = new Set<string>();
    for (const { decision } of steps) {
      if (decision.kind === 'ignored') continue;
      for (const { event_type, payload } of decision.facts) {
        if (!saidOnce.includes(event_type) || !('step' in payload) || payload.agent === '') continue;
        if (payload.task_id === '') continue;
        const step = `${payload.task_id} ${payload.attempt} ${payload.step}`;
        assert.ok(!said.has(step), `${event_type}: ${step} again`);
        said.add(step);
      }
      const provided = new Set(decision.state.provided.map(({ name }) => name));
      for (const { waiting_for } of decision.state.tasks) assert.ok(!provided.has(waiting_for));
    }
  });

  property('a join is opened once and closed once, and a task is asked for once', (steps) => {
    const began = new Set<string>();
    const open = new Set<string>();
    const asked = new Set<string>();
    let plannedAnew = false;
    for (const { event_type, payload } of factsOf(steps)) {
      if (event_type === 'aggregation_started') {
        assert.ok(!began.has(payload.aggregation));
        open.add(payload.aggregation);
        began.add(payload.aggregation);
      } else if (event_type === 'aggregation_completed' || event_type === 'aggregation_timed_out') {
        assert.ok(open.delete(payload.aggregation));
      } else if (event_type === 'task_requested') {
        assert.ok(!asked.has(payload.task.id) || plannedAnew, `${payload.task.id} again`);
        asked.add(payload.task.id);
      } else if (event_type === 'plan_created') {
        // One that failed may be planned away.
        plannedAnew ||= payload.made_by === 'replanning';
        const ids = new Set(payload.tasks.map(({ id }) => id));
        assert.ok(plannedAnew || [...asked].every((id) => ids.has(id)));
      }
    }
  });

  property('a mission that reacts completes only when it has settled', (steps) => {
    for (const { decision, before } of steps) {
      if (decision.kind === 'ignored' || before === null || !reacts(before)) continue;
      if (before.policy.options.plan_only) continue;
      const types = decision.facts.map(({ event_type }) => event_type);
      if (types.includes('mission_completed')) assert.equal(types[0], 'reactions_settled');
    }
  });

  property(
    'folding the facts gives the state, and the changelog gives it back',
    (steps) => {
      let state: MissionState | null = null;
      for (const { decision, now, before } of steps) {
        if (decision.kind === 'ignored') continue;
        for (const fact of decision.facts) state = evolve(state, fact, envelope(now));
        assert.deepEqual(withoutLeases(state), withoutLeases(decision.state));
        if (before === null || missionHasEnded(before)) continue;
        const { mission, plan } = toRecords(before, { sequence: before.sequence, hash: 'aa' });
        const written = codec.decode(codec.encodeRecord('MissionState', mission));
        const planned = plan && codec.decode(codec.encodeRecord('MissionPlan', plan));
        assert.ok(written.name === 'MissionState' && (planned === null || planned.name === 'MissionPlan'));
        const back = fromRecords(written.value, planned?.value ?? null).state;
        assert.deepEqual(plain(back), plain(before));
      }
    },
    60,
  );

  property('the ledger verifies, and no plan had to be taken as written', (steps) => {
    const { mission, records, tail } = ledgerOf('m1', steps, codec);
    const verifier = createVerifier(codec);
    verifier.expectHead(mission, tail);
    const during = placed(records).flatMap((record) => verifier.feed(record) ?? []);
    const { findings, summary } = verifier.end();
    assert.deepEqual([...during, ...findings], []);
    assert.deepEqual([summary.ended, summary.plans_as_written], [1, 0]);
  });

  property(
    'what completed and says how is undone exactly once, the last first, or a person said otherwise',
    (steps) => {
      const facts = factsOf(steps);
      const end = facts.at(-1);
      const began = facts.findIndex(({ event_type }) => event_type === 'undoing_started');
      const last = statesOf(steps).at(-1);
      assert.ok(last && end);
      const compensated = 'compensated' in end.payload ? end.payload.compensated : [];
      if (began < 0) {
        assert.ok(!facts.some(({ event_type }) => event_type.startsWith('compensation_')));
        assert.deepEqual(compensated, []);
        const could = last.policy.on_failure === 'compensate' && last.status !== 'completed';
        if (could && last.plan !== null) assert.deepEqual(toUndo(last), []);
        return;
      }
      // What undoes it is in the plan with it, and holds for it as for any other task.
      const undone: string[] = [];
      let stopped = false;
      for (const { event_type, payload } of facts) {
        if (event_type === 'compensation_completed') undone.push(payload.compensates);
        if (event_type !== 'review_completed' || payload.decision !== 'rejected') continue;
        stopped ||= payload.review_id.includes('/undo-') && payload.arguments_hash === '';
      }
      const wanted = toUndo(last).map((position) => last.plan?.tasks[position]?.id ?? '');
      assert.deepEqual(undone, stopped ? wanted.slice(0, undone.length) : wanted);
      assert.deepEqual(compensated, undone);
      assert.equal(new Set(undone).size, undone.length);
      // One at a time, and nothing else is begun meanwhile.
      for (const { decision } of steps) {
        if (decision.kind === 'ignored' || decision.state.undoing === '') continue;
        const { tasks, plan } = decision.state;
        const busy = tasks.flatMap((task, at) => (inFlight(task) ? [plan?.tasks[at]] : []));
        if (busy.some((spec) => spec?.compensates !== '')) assert.equal(busy.length, 1);
        for (const { event_type, payload } of decision.facts) {
          const begins = event_type === 'task_assigned' && payload.lease === 1;
          if (begins && decision.facts.some((fact) => fact.event_type === 'compensation_started'))
            assert.notEqual(payload.compensates, '');
        }
      }
    },
  );

  property('a suspended mission begins nothing until a person has decided', (steps) => {
    for (const { before, decision } of steps) {
      if (before === null || decision.kind === 'ignored') continue;
      if (suspendedFor(before).length === 0 || suspendedFor(decision.state).length === 0) continue;
      for (const { event_type, payload } of decision.facts) {
        if (event_type === 'task_assigned') assert.ok(payload.lease > 1, `${payload.task_id} is assigned`);
      }
    }
  });

  it('every new kind of fact, of reason and of end comes up', () => {
    const seen = new Set<string>();
    for (const journey of fc.sample(wideJourneys(), { numRuns: 1500, seed: 11 })) {
      for (const { decision } of travel(journey)) {
        if (decision.kind === 'ignored') seen.add(decision.reason);
        else for (const fact of decision.facts) for (const each of marksOf(fact)) seen.add(each);
      }
    }
    const wanted =
      'review_requested review_completed safety_violation mission_cancelled task_cancelled ReviewUnknown ' +
      'ReviewDiffers DecisionUnknown NotRunning LeaseStale AttemptEnded timer:review made_by:heuristic ' +
      'made_by:orchestrator made_by:fallback made_by:replanning made_by:mission kind:plan kind:budget kind:tool_call kind:reconcile ' +
      'budget_exhausted plan_rejected invalid_plan task_failed cheaper role:drummer missing kind:mission resume:answers ' +
      'agent_handoff dependency_required dependency_resolved decision_recorded checkpoint_created context_synced ' +
      'event_emitted error_raised task_requested pause_requested aggregation_started aggregation_completed ' +
      'aggregation_timed_out reactions_settled AlreadySaid AlreadyRequested AggregationUnknown NotSettled ' +
      'timer:aggregation made_by:reactions kind:pause pause_rejected error:dependency_unavailable error:hop_limit ' +
      'error:role_unknown error:invalid_plan failed:role_unknown answer:resolved answer:unavailable ' +
      'context undoing_started compensation_started compensation_completed compensation_failed kind:compensation ' +
      'kind:suspend AlreadyUndoing compensated stopped deadline_passed';
    assert.deepEqual(
      wanted.split(' ').filter((each) => !seen.has(each)),
      [],
    );
  });
});

function marksOf({ event_type, payload }: ReturnType<typeof factsOf>[number]): string[] {
  switch (event_type) {
    case 'timer_fired':
      return [event_type, `timer:${payload.timer}`];
    case 'plan_created':
      return [event_type, `made_by:${payload.made_by}`];
    case 'review_requested':
      return [event_type, `kind:${payload.kind}`];
    case 'mission_failed':
      return [
        ...[event_type, payload.code],
        ...(payload.compensated.length > 0 ? ['compensated'] : []),
        ...(payload.message.includes('the undoing was stopped') ? ['stopped'] : []),
      ];
    case 'mission_completed':
      return payload.missing.length > 0 ? [event_type, 'missing'] : [event_type];
    case 'error_raised':
      return [event_type, `error:${payload.code}`];
    case 'task_failed':
      return [event_type, `failed:${payload.code}`];
    case 'task_assigned': {
      const { role, kind, cheaper, answers, context } = payload;
      const said = answers.map(({ decision }) => `answer:${decision}`);
      const marks = [
        event_type,
        `role:${role}`,
        `kind:${kind}`,
        ...said,
        ...(context === '' ? [] : ['context']),
      ];
      return [...marks, ...(cheaper ? ['cheaper'] : []), ...(answers.length > 0 ? ['resume:answers'] : [])];
    }
    default:
      return [event_type];
  }
}

const withoutLeases = (state: MissionState | null) =>
  state && { ...state, tasks: state.tasks.map((task) => ({ ...task, lease_until: 0 })) };
/** avsc's records have prototypes of their own, and the tables of a plan are derived. */
const plain = ({ plan, ...state }: MissionState): unknown =>
  JSON.parse(JSON.stringify({ ...state, tasksOfPlan: plan?.tasks }));
