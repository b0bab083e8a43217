import fc from 'fast-check';
import type { Codec } from '#schemas/codec.ts';
import type { MissionPolicy, TaskSpec } from '#schemas/types.gen.ts';
import { type Decision, decide, type Input } from './decide.ts';
import type { FactDraft } from './facts.ts';
import { noTail, seal, type Tail } from './ledger.ts';
import {
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
} from './scenario.ts';
import { inFlight, type MissionState, missionHasEnded } from './state.ts';
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
    chances: fc.array(fc.nat(), { maxLength: 150 }),
    cancelled: fc.boolean().map((drawn) => drawn && mission !== missionId),
  });

/** Carries the journey to its end. Heartbeats move leases on the way; they leave no trace. */
export function travel({ mission, tasks, policy: rules, chances, cancelled }: Journey): Step[] {
  const steps: Step[] = [];
  const past: Input[] = [];
  let state: MissionState | null = null;
  let now = start;
  const take = (input: Input) => {
    const decision = decide(state, input, { now });
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

  take(submit(tasks, { mission_id: mission, policy: rules }));
  for (const chance of chances) {
    if (state === null) break;
    now += chance % 7;
    const pick = Math.floor(chance / 16);
    const [id, which] = somebody(state, pick);
    switch (chance % 16) {
      case 0:
        take(attemptFailed(id, pick % 3 === 0 ? 'unauthorized' : 'temporary_failure', which));
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
      default:
        take(completed(id, which, `${id} `.repeat(pick % 40)));
    }
  }
  if (cancelled) take({ kind: 'cancel', reason: 'enough', by: 'ann' });
  // Nothing goes wrong any more: whoever has work completes it, and time passes for what waits.
  for (let left = 1000; state !== null && !hasEnded(state) && left > 0; left -= 1) {
    const [id, which] = somebody(state, 0);
    if (id === 'nobody') fire(true);
    else take(completed(id, which));
  }
  return steps;
}

const hasEnded = (state: MissionState): boolean => missionHasEnded(state);

/** One of the tasks in flight. */
function somebody(state: MissionState, pick: number): [string, { attempt: number; lease: number }] {
  const busy = state.tasks.flatMap((each, position) => (inFlight(each) ? [position] : []));
  const position = busy[pick % Math.max(1, busy.length)] ?? -1;
  const { attempt, lease } = state.tasks[position] ?? { attempt: 1, lease: 1 };
  return [state.plan?.tasks[position]?.id ?? 'nobody', { attempt, lease }];
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
