import { hash } from 'node:crypto';
import { decide } from '#orchestrator/decide.ts';
import type { Input, ReportType } from '#orchestrator/input.ts';
import { noTail, type SealedFact, seal, type Tail } from '#orchestrator/ledger.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { newestRules } from '#orchestrator/rules.ts';
import { type MissionState, missionHasEnded, type TaskState } from '#orchestrator/state.ts';
import type { Codec } from '#schemas/codec.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, MissionPolicy, PayloadOf, TaskSpec } from '#schemas/types.gen.ts';

/** A ledger for tests, made by the orchestrator's own functions: the same seed gives the same facts. */
export interface SampleMission {
  readonly mission_id: string;
  readonly facts: readonly SealedFact[];
  /** As `evolve` has it after the last fact. */
  readonly state: MissionState;
}

const start = 1_790_000_000_000;
const policy: MissionPolicy = { ...defaultPolicy, max_in_flight: 4, lease_ms: 10_000, retry_initial_ms: 100 };
const usage = {
  input_tokens: 11,
  output_tokens: 7,
  cache_read_tokens: 3,
  cache_write_tokens: 1,
  cost_usd: 0.25,
  calls: 1,
};

export type Course =
  | 'completes'
  | 'fails'
  | 'is_cancelled'
  | 'is_rejected'
  | 'is_planned'
  | 'goes_on'
  | 'talks';
const courses: readonly Course[] = [
  'completes',
  'fails',
  'is_cancelled',
  'is_rejected',
  'is_planned',
  'goes_on',
  'talks',
];

/** Missions of every course in turn: retries, resumes, releases, expired leases and all. */
export function sampleLedger(codec: Codec, count: number, prefix = 'm'): SampleMission[] {
  return Array.from({ length: count }, (_, i) => {
    const course = courses[i % courses.length] ?? 'completes';
    return sampleMission(codec, `${prefix}-${i}-${course}`, course, 3 + (i % 9));
  });
}

/** A random source that is a function of the mission and of how often it was asked. */
function dice(seed: string): (sides: number) => number {
  let rolls = 0;
  return (sides) => {
    rolls += 1;
    return Number.parseInt(hash('sha256', `${seed}/${rolls}`, 'hex').slice(0, 12), 16) % sides;
  };
}

export function sampleMission(codec: Codec, mission_id: string, course: Course, size: number): SampleMission {
  const roll = dice(mission_id);
  const facts: SealedFact[] = [];
  let state: MissionState | null = null;
  let tail: Tail = noTail;
  let now = start + roll(10_000);

  const tell = (input: Input): void => {
    now = Math.max(now + 1 + roll(50), input.kind === 'timer' ? input.due_at : 0);
    const decision = decide(state, input, { now });
    if (decision.kind === 'ignored') return;
    const sealed = seal(decision.facts, {
      ...{ mission_id, priority: 'normal', causation_id: `input-${facts.length}`, now, tail, codec },
    });
    facts.push(...sealed.events);
    tail = sealed.tail;
    state = decision.state;
  };
  const current = (): MissionState => {
    if (state === null) throw new Error(`mission ${mission_id} was not accepted`);
    return state;
  };

  const tasks = course === 'is_planned' ? [] : planOf(course, size, roll);
  const about = { mission_id, name: `sample ${course}`, brief: `do ${mission_id}`, traceparent: '' };
  const alone = { roles: [], parent: null, depth: 0, rules: newestRules };
  tell({ kind: 'submit', ...about, tasks, policy, priority: 'normal', ...alone });
  for (let turn = 0; !missionHasEnded(current()) && turn < size * 40; turn += 1) {
    if (course === 'goes_on' && turn > size * 2) break;
    if (course === 'is_cancelled' && turn > size * 2) {
      tell({ kind: 'cancel', reason: 'enough', by: 'a person' });
      break;
    }
    tell(nextInput(current(), course, roll, now));
  }
  return { mission_id, facts, state: current() };
}

function planOf(course: Course, size: number, roll: (sides: number) => number): TaskSpec[] {
  return Array.from({ length: size }, (_, i) => {
    const needs = i > 1 ? [...new Set([`task-${roll(i)}`, `task-${roll(i)}`])] : [];
    if (course === 'is_rejected' && i === 0) needs.push('nobody');
    const script = { calls: [], answer: 'ok' };
    const text = `part ${i}: "quoted", a \\u0000 that is text, a \u0000 that is none, and ü`;
    const limits = { wave: 0, timeout_ms: 0, max_attempts: 3 };
    return taskSpec({ id: `task-${i}`, role: `role_${i % 3}`, description: text, needs, script, ...limits });
  });
}

function nextInput(
  { plan, tasks, mission_id }: MissionState,
  course: Course,
  roll: (sides: number) => number,
  now: number,
): Input {
  const open = tasks.flatMap((task, i) =>
    ['assigned', 'running', 'waiting'].includes(task.status) ? [{ task, id: plan?.tasks[i]?.id ?? '' }] : [],
  );
  const chosen = open[roll(open.length)];
  if (chosen === undefined) throw new Error(`nothing can happen in mission ${mission_id}`);
  const { task, id } = chosen;
  const timer = (kind: 'lease' | 'retry', due_at: number): Input => ({
    ...{
      kind: 'timer',
      aggregation: '',
      timer: kind,
      task_id: id,
      attempt: task.attempt,
      lease: task.lease,
      due_at,
      review_id: '',
    },
  });
  const report = reportOf(mission_id, id, task, now);
  if (task.status === 'waiting') return timer('retry', task.retry_at);
  if (task.status === 'assigned' && roll(8) > 0) {
    return report('task_started', { journal_partition: 1, journal_offset: roll(100) });
  }
  const journal = { steps: 2 + roll(5), journal_hash: hash('sha256', id, 'hex') };
  if (course === 'talks' && task.status === 'running' && roll(2) === 0) {
    return saying(report, task, roll, { ...journal, usage, duration_ms: 7 });
  }
  switch (roll(8)) {
    case 0:
      return report('task_released', { reason: 'draining' });
    case 1:
      return timer('lease', now);
    case 2:
    case 3: {
      const code = course === 'fails' && roll(3) === 0 ? 'safety_violation' : 'temporary_failure';
      return report('task_attempt_failed', {
        ...journal,
        code,
        message: 'it broke',
        retry_at: 0,
        usage,
        duration_ms: 7,
      });
    }
    default: {
      const planned = {
        tasks: [
          { id: 'a', role: 'role_a' },
          { id: 'b', role: 'role_b', needs: ['a'] },
        ],
      };
      const result = id === 'plan' ? JSON.stringify(planned) : `${id} is done`;
      return report('task_completed', { ...journal, result, duration_ms: roll(1000), usage });
    }
  }
}

/** What an agent says to others in the middle of its task, or in place of its end. */
function saying(
  report: ReturnType<typeof reportOf>,
  { reported }: TaskState,
  roll: (sides: number) => number,
  spent: Pick<PayloadOf<'agent_handoff'>, 'steps' | 'journal_hash' | 'usage' | 'duration_ms'>,
): Input {
  const step = reported + 1;
  const dependency = `part-${roll(3)}`;
  const kept = { step, content_hash: '', content: 'half of it' };
  switch (roll(8)) {
    case 0: {
      const over = { from_role: 'a_role', to_role: 'role_2', context: 'so far', reason: 'not mine' };
      return report('agent_handoff', { ...over, ...spent, step });
    }
    case 1:
    case 2:
      return report('dependency_required', { step, dependency, reason: 'it is needed' });
    case 3:
      return report('dependency_resolved', { step, dependency, value: 'here' });
    case 4:
      return report('checkpoint_created', { ...kept, name: 'half' });
    case 5:
      return report('context_synced', { ...kept, scope: 'all' });
    case 6:
      return report('decision_recorded', { step, decision: 'x', reasons: ['y'], alternatives: [] });
    default: {
      const by = { subscription: '', trigger: '', hops: 0 };
      return report('event_emitted', { step, name: 'said', topic: '', severity: '', data: '', ...by });
    }
  }
}

type Said<T extends ReportType> = Omit<PayloadOf<T>, 'task_id' | 'attempt' | 'lease' | 'agent'>;

function reportOf(mission_id: string, task_id: string, { attempt, lease }: TaskState, timestamp: number) {
  return <T extends ReportType>(event_type: T, payload: Said<T>): Input => {
    const event = {
      event_id: `${mission_id}/${task_id}/${attempt}/${lease}/${event_type}`,
      event_type,
      source_agent: 'a_role',
      target_agent: 'orchestrator',
      timestamp,
      version: 1,
      correlation_id: mission_id,
      causation_id: '',
      priority: 'normal',
      sequence: 0,
      previous_hash: '',
      payload: { task_id, attempt, lease, agent: `agent-${lease}`, ...payload },
    };
    return { kind: 'report', event: event as unknown as EventOf<ReportType> };
  };
}
