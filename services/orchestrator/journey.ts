import fc from 'fast-check';
import type { Codec } from '#schemas/codec.ts';
import type { MissionPolicy, TaskSpec } from '#schemas/types.gen.ts';
import { usdOf } from '#schemas/usage.ts';
import { settled, subscription } from './coordination-scenario.ts';
import { decide } from './decide.ts';
import type { FactDraft } from './facts.ts';
import type { Decision, Input, ReportEvent } from './input.ts';
import { coordination, reactionRoles } from './journey-coordination.ts';
import { noTail, seal, type Tail } from './ledger.ts';
import { knownRules, newestRules } from './rules.ts';
import {
  answer,
  asked,
  attemptFailed,
  completed,
  missionId,
  policy,
  released,
  start,
  started,
  submit,
  task,
  timer,
  violated,
} from './scenario.ts';
import { settles } from './settling.ts';
import { inFlight, type MissionState, missionHasEnded, type TaskState } from './state.ts';
import { newWords, type Words } from './texts.ts';
import { dueTimers, nextDue, renewLease, timerId } from './timers.ts';
import type { LedgerRecord } from './verify.ts';

/** For property tests: a random mission that random agents, clocks and couriers carry to its end. */
export interface Journey {
  readonly mission: string;
  readonly tasks: readonly TaskSpec[];
  readonly policy: MissionPolicy;
  /** What happens, as far as it goes; after that everything works. */
  readonly chances: readonly number[];
  readonly cancelled: boolean;
  /** The mission gives only a brief: the tasks are what a planner comes up with. */
  readonly planned?: boolean;
  /** Roles that a plan may use; none: any. */
  readonly roles?: readonly string[];
  /** Agents talk to each other, and reactions report. */
  readonly coordinated?: boolean;
  /** How attempts to undo something fail at first, and what a person says then; after that they succeed. */
  readonly stuck?: readonly string[];
  /** The version of the rules by which it is decided; the newest unless told. */
  readonly rules?: number;
}

export interface Step {
  readonly input: Input;
  readonly now: number;
  readonly before: MissionState | null;
  readonly decision: Decision;
}

const plans = (most: number): fc.Arbitrary<TaskSpec[]> =>
  fc.integer({ min: 1, max: most }).chain((size) =>
    fc
      .tuple(
        ...Array.from({ length: size }, (_, position) =>
          fc.uniqueArray(fc.nat(Math.max(0, position - 1)), { maxLength: position === 0 ? 0 : 3 }),
        ),
      )
      .map((needs) =>
        needs.map((positions, position) =>
          task(
            `t${position}`,
            positions.map((need) => `t${need}`),
          ),
        ),
      ),
  );

export const journeys = (mostTasks = 30, mission = missionId): fc.Arbitrary<Journey> =>
  fc.record({
    mission: fc.constant(mission),
    tasks: plans(mostTasks),
    policy: fc.record({
      ...Object.fromEntries(Object.entries(policy).map(([field, value]) => [field, fc.constant(value)])),
      max_in_flight: fc.integer({ min: 1, max: 6 }),
      max_attempts: fc.integer({ min: 1, max: 3 }),
      on_failure: fc.constantFrom('fail_fast', 'continue'),
    }) as unknown as fc.Arbitrary<MissionPolicy>,
    chances: fc.array(fc.nat(), { maxLength: 150, size: 'max' }),
    cancelled: fc.boolean().map((drawn) => drawn && mission !== missionId),
    rules: fc.constantFrom(...knownRules),
  });

const undo = { description: 'Take it back.', script: null };

const limits = fc.record({
  tokens: fc.constantFrom(-1, 7, 100, 5_000),
  calls: fc.constantFrom(-1, -1, 12),
  cost_nanos: fc.constantFrom(-1, 10_000_000, 333_333_333),
  time_ms: fc.constantFrom(-1, 60_000),
});

const retryRules = (role: fc.Arbitrary<string>) =>
  fc.record({
    code: fc.constantFrom('', 'timeout', 'lease_lost', 'tool_failed'),
    role,
    max_attempts: fc.nat(3),
    initial_ms: fc.constantFrom(0, 500, 5_000),
    max_ms: fc.constantFrom(0, 8_000),
  });

/**
 * Missions that use all that a mission may ask for: budgets, reviews, plans made and made anew, tiers, partial tasks,
 * hand-overs, dependencies, joins and reactions, some of them nothing but reactions; and missions that undo their work.
 */
export const wideJourneys = (mostTasks = 8, mission = missionId): fc.Arbitrary<Journey> =>
  fc
    .tuple(
      journeys(mostTasks, mission),
      fc.record({
        planner: fc.constantFrom('auto', 'auto', 'model', 'heuristic'),
        hierarchy: fc.constantFrom('none', 'tiers'),
        review: fc.constantFrom('', '', 'plan'),
        plan_only: fc.integer({ min: 0, max: 19 }).map((drawn) => drawn === 0),
        budget: fc.option(limits),
        per_task: fc.option(fc.constant({ tokens: 40, calls: -1, cost_nanos: 3_000_000, time_ms: -1 })),
        on_exhausted: fc.constantFrom('stop', 'ask', 'cheaper'),
        max_replans: fc.integer({ min: 1, max: 2 }),
        retries: fc.array(retryRules(fc.constantFrom('', 't0_role')), { maxLength: 1 }),
        role_retries: fc.array(retryRules(fc.constantFrom('t0_role', 't1_role')), { maxLength: 2 }),
      }),
      fc.record({
        on_failure: fc.constantFrom('fail_fast', 'continue', 'replan', 'compensate', 'compensate', 'suspend'),
        planned: fc.boolean(),
        cancelled: fc.boolean(),
        partial: fc.integer({ min: 0, max: 3 }),
        reacting: fc.constantFrom('no', 'yes', 'only'),
        /** One bit a task: whether it says how it is undone. */
        undone: fc.nat(255),
        stuck: fc.array(fc.constantFrom('approved', 'approved', 'happened', 'rejected'), { maxLength: 3 }),
      }),
    )
    .map(([journey, chosen, { planned, reacting, ...more }]) => ({
      journey,
      options: {
        ...chosen,
        ...(reacting === 'no' ? {} : { subscriptions: [subscription('sub')], max_hops: 4 }),
        ...(reacting === 'only' ? { planner: 'none', plan_only: false } : {}),
      },
      ...{ ...more, planned: planned || reacting === 'only' },
    }))
    .map(({ journey, options, on_failure, planned, cancelled, partial, undone, stuck }) => ({
      ...journey,
      ...{ stuck, planned, coordinated: true, cancelled: cancelled && options.planner === 'auto' },
      roles: ['researcher', 'drummer', 'camina', ...reactionRoles, ...journey.tasks.map(({ role }) => role)],
      policy: { ...journey.policy, on_failure, options: { ...journey.policy.options, ...options } },
      // Some make do with what there is; one is a mission of its own; some can be undone.
      tasks: journey.tasks.map((each, position) => {
        const spec = ((undone >> position) & 1) === 0 ? each : { ...each, compensation: undo };
        if (position % 4 === partial) return { ...spec, partial: spec.needs.length > 0 };
        if (position !== 2) return spec;
        return { ...spec, role: 'orchestrator', description: 'a part', kind: planned ? '' : 'mission' };
      }),
    }));

/** Carries the journey to its end. Heartbeats move leases on the way; they leave no trace. */
export function travel(journey: Journey, words: Words = newWords): Step[] {
  const {
    mission,
    tasks,
    policy: its,
    rules = newestRules,
    chances,
    cancelled,
    planned = false,
    roles = [],
    stuck = [],
    coordinated = false,
  } = journey;
  const steps: Step[] = [];
  const past: Input[] = [];
  let state: MissionState | null = null;
  let now = start;
  const take = (input: Input) => {
    const decision = decide(state, input, { now, words });
    steps.push({ input, now, before: state, decision });
    past.push(input);
    if (decision.kind === 'facts') ({ state } = decision);
  };
  const fire = (orDeadline: boolean) => {
    const due = state === null ? null : nextDue(state);
    if (state === null || due === null || (due === state.deadline_at && !orDeadline)) return;
    now = Math.max(now, due);
    for (const each of dueTimers(state, now)) take(each);
  };

  take(submit(planned ? [] : tasks, { mission_id: mission, policy: its, roles, rules }));
  for (const chance of chances) {
    if (state === null) break;
    now += chance % 7;
    // What is done, and to whom, is drawn apart.
    const pick = Math.floor(chance / (coordinated ? 32 : 16));
    const [id, which, doing] = somebody(state, pick);
    const using = usageWithin(doing, pick);
    if (coordinated && chance % 32 >= 20) {
      if (doing?.status === 'assigned' && pick % 5 > 0) take(started(id, which));
      take(using(coordination(pick, { state, id, which, reported: doing?.reported ?? 0, now })));
      continue;
    }
    switch (coordinated ? chance % 32 : chance % 20) {
      case 0:
        take(using(attemptFailed(id, failures[pick % failures.length] ?? '', which)));
        break;
      case 1:
        take(released(id, which));
        break;
      case 2:
        take(completed(id, { ...which, lease: which.lease + 1 }));
        break;
      case 3:
        take(attemptFailed(id, 'unauthorized', { ...which, attempt: which.attempt - 1 }));
        break;
      case 4:
        take(past[pick % past.length] ?? started('none'));
        break;
      case 5:
        take(timer('lease', now, id, which));
        break;
      case 6:
        take(completed(`t${pick % tasks.length}`));
        break;
      case 7: {
        const renewed: MissionState | string = renewLease(
          state,
          id,
          which.attempt,
          which.lease,
          now + 20_000,
        );
        if (typeof renewed !== 'string') state = renewed;
        break;
      }
      case 8:
      case 9:
        fire(pick % 20 === 0);
        break;
      case 10:
      case 11:
      case 12:
        take(started(id, which));
        break;
      case 13:
        take(using(violated(id, which)));
        break;
      case 14: {
        const review_id = `${mission}/${id}/${which.attempt}/${pick % 5}`;
        const kind = pick % 3 === 0 ? 'reconcile' : 'tool_call';
        take(asked(id, { review_id, kind, expires_at: pick % 2 === 0 ? now + 200 : 0 }, which));
        break;
      }
      case 15: {
        const review = state.reviews[pick % Math.max(1, state.reviews.length)];
        const hash = pick % 5 === 0 ? 'other' : (review?.arguments_hash ?? '');
        take(answer(review?.review_id ?? 'none', decisions[pick % decisions.length] ?? '', hash));
        break;
      }
      default:
        take(using(completed(id, which, resultOf(journey, state, id, pick))));
    }
  }
  const cancel: Input = { kind: 'cancel', reason: 'enough', by: 'ann' };
  // Twice, as a command may come twice.
  if (cancelled) for (const each of [cancel, cancel]) take(each);
  const answers = [...stuck];
  // Nothing else goes wrong any more: whoever has work completes it, and time passes for what waits.
  for (let left = 1000; state !== null && !hasEnded(state) && left > 0; left -= 1) {
    const [id, which, doing] = somebody(state, 0);
    const [review] = state.reviews;
    const undoes = id.startsWith('undo-');
    if (waitsToSettle(state)) take(settled(state.sequence));
    else if (review !== undefined && review.expires_at > 0) fire(true);
    else if (review !== undefined) {
      const decision = review.kind === 'compensation' ? (answers.shift() ?? 'approved') : 'approved';
      take(answer(review.review_id, decision, review.arguments_hash));
    } else if (id === 'nobody') fire(true);
    else if (undoes && answers.length > 0) take(attemptFailed(id, 'unauthorized', which));
    else take(usageWithin(doing, left)(completed(id, which, resultOf(journey, state, id, 1))));
  }
  return steps;
}

const waitsToSettle = (state: MissionState): boolean => settles(state, state.sequence);

const hasEnded = (state: MissionState): boolean => missionHasEnded(state);

/** Retried ones more often. The last is the end of a planner that has no model. */
const failures = ['temporary_failure', 'timeout', 'unauthorized', 'temporary_failure', 'key_missing'];
const decisions = ['approved', 'rejected', 'happened', 'cheaper', 'approved', 'expired'];

/** What an agent says: a planner's plan, or anything. */
function resultOf({ tasks }: Journey, { plan, replans, tasks: all }: MissionState, id: string, pick: number) {
  const planner = plan?.tasks[plan.index.get(id) ?? -1]?.kind === 'plan';
  if (!planner) return `${id} `.repeat(pick % 40);
  if (pick % 7 === 0) return 'no plan';
  if (replans === 0) {
    const fields = ({ id, role, needs, partial, compensation }: TaskSpec) => ({
      ...{ id, role, needs, partial, compensation },
    });
    return JSON.stringify({ tasks: tasks.map(fields) });
  }
  const done = plan?.tasks.filter((_, at) => all[at]?.status === 'completed').map((each) => each.id) ?? [];
  const first = { id: 'again', role: 't0_role', needs: done.slice(0, pick % 3) };
  return JSON.stringify({
    tasks: [first, { id: 'more', role: 't0_role', needs: ['again'] }].slice(0, 1 + (pick % 2)),
  });
}

/** A report of what a random agent used up: anything within its reservation, and sometimes of unknown cost. */
function usageWithin(task: TaskState | undefined, pick: number): (report: Input) => Input {
  const part = (most: number | undefined, salt: number): number => {
    const limit = most === undefined || most < 0 ? 1_000 : most;
    return Math.floor((limit * ((pick * salt) % 101)) / 100);
  };
  const reserved = task?.reserved;
  const tokens = part(reserved?.tokens, 7);
  const input_tokens = Math.floor(tokens / 3);
  const used = {
    ...{ input_tokens, output_tokens: tokens - input_tokens, cache_read_tokens: 0, cache_write_tokens: 0 },
    cost_usd: pick % 11 === 0 ? null : usdOf(part(reserved?.cost_nanos, 13)),
    calls: part(reserved?.calls, 5),
  };
  const duration_ms = part(reserved?.time_ms, 3);
  return (report) => {
    if (report.kind !== 'report') return report;
    const payload = { ...report.event.payload, usage: used, duration_ms };
    return { ...report, event: { ...report.event, payload } as ReportEvent };
  };
}

/** One of the tasks in flight. */
function somebody(
  state: MissionState,
  pick: number,
): [string, { attempt: number; lease: number }, TaskState | undefined] {
  const busy = state.tasks.flatMap((each, position) => (inFlight(each) ? [position] : []));
  const position = busy[pick % Math.max(1, busy.length)] ?? -1;
  const task = state.tasks[position];
  const { attempt, lease } = task ?? { attempt: 1, lease: 1 };
  return [state.plan?.tasks[position]?.id ?? 'nobody', { attempt, lease }, task];
}

export const factsOf = (steps: readonly Step[]): FactDraft[] =>
  steps.flatMap(({ decision }) => (decision.kind === 'facts' ? decision.facts : []));

/** The ledger of the journey, as the orchestrator would write it, and where it ends. */
export function ledgerOf(mission: string, steps: readonly Step[], codec: Codec) {
  const records: Buffer[] = [];
  let tail: Tail = noTail;
  steps.forEach(({ decision, input, now }, position) => {
    if (decision.kind === 'ignored') return;
    const causation_id = input.kind === 'timer' ? timerId(mission, input) : `${mission}-input-${position}`;
    const { priority } = decision.state;
    const sealed = seal(decision.facts, { mission_id: mission, priority, causation_id, now, tail, codec });
    records.push(...sealed.events.map(({ bytes }) => bytes));
    tail = sealed.tail;
  });
  return { mission, records, tail };
}

/** Records as a reader of one partition gets them. */
export const placed = (records: readonly Buffer[], key: string | null = null): LedgerRecord[] =>
  records.map((bytes, offset) => ({ bytes, partition: 0, offset, key }));
