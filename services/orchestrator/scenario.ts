import assert from 'node:assert/strict';
import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionPolicy, PayloadOf, TaskSpec, Usage } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { type DraftOf, type FactDraft, type FactType, own, told } from './facts.ts';
import type {
  Decision,
  IgnoreReason,
  Input,
  ReportEvent,
  ReportType,
  ReviewInput,
  SubmitInput,
  TimerInput,
} from './input.ts';
import { defaultPolicy } from './policy.ts';
import { newestRules } from './rules.ts';
import type { MissionState } from './state.ts';

/**
 * For tests: what a mission was told, what happens, and what must follow.
 * `given(facts).when(input).then(facts)`. Times count from `start`.
 */

export const start = 1_790_000_000_000;
export const missionId = 'm1';
export const policy: MissionPolicy = { ...defaultPolicy, lease_ms: 10_000, task_timeout_ms: 60_000 };

/** A task of a plan, as a person gives it. The role `a_role` does the task `a`. */
export function task(id: string, needs: readonly string[] = [], more: Partial<TaskSpec> = {}): TaskSpec {
  return taskSpec({ id, role: `${id}_role`, needs, ...more });
}

export function submit(tasks: readonly TaskSpec[], more: Partial<SubmitInput> = {}): SubmitInput {
  const about = { mission_id: missionId, name: 'a mission', brief: 'do it', traceparent: '' };
  const alone = { roles: [], parent: null, depth: 0, rules: newestRules };
  return { kind: 'submit', ...about, tasks, policy, priority: 'normal', ...alone, ...more };
}

/** Reports: `completed('a')` says that attempt 1 under lease 1 of task `a` has completed. */
export interface Which {
  readonly attempt?: number;
  readonly lease?: number;
}

export function report<T extends ReportType>(
  event_type: T,
  task_id: string,
  which: Which,
  payload: object,
): Input {
  const { attempt = 1, lease = 1 } = which;
  const event = {
    event_id: `${event_type}-${task_id}-${attempt}-${lease}`,
    event_type,
    source_agent: `${task_id}_role`,
    target_agent: 'orchestrator',
    timestamp: start,
    version: 1,
    correlation_id: missionId,
    causation_id: '',
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    payload: { task_id, attempt, lease, agent: 'agent-1', ...payload },
  };
  return { kind: 'report', event: event as unknown as ReportEvent };
}

/** What an attempt used up, as far as a scenario does not say. */
const usage = noUsage;

export const started = (id: string, which: Which = {}) =>
  report('task_started', id, which, { journal_partition: 2, journal_offset: 40 });
export const completed = (
  id: string,
  which: Which = {},
  result = `${id} is done`,
  used: Partial<Usage> = {},
) =>
  report('task_completed', id, which, {
    result,
    steps: 1,
    journal_hash: 'ab',
    duration_ms: 5,
    usage: { ...usage, ...used },
  });
export const attemptFailed = (id: string, code: string, which: Which = {}, used: Partial<Usage> = {}) =>
  report('task_attempt_failed', id, which, {
    code,
    message: 'it broke',
    steps: 1,
    journal_hash: 'ab',
    retry_at: 0,
    usage: { ...usage, ...used },
    duration_ms: 5,
  });
export const released = (id: string, which: Which = {}) =>
  report('task_released', id, which, { reason: 'draining' });

/** The agent asks a person about its next call. */
export const asked = (id: string, more: Partial<PayloadOf<'review_requested'>> = {}, which: Which = {}) =>
  report('review_requested', id, which, {
    review_id: `${missionId}/${id}/1/2`,
    kind: 'tool_call',
    reason: 'the policy says so',
    tool: 'execute_terminal_command',
    arguments: '{}',
    arguments_hash: 'ff',
    expires_at: 0,
    step: 2,
    ...more,
  });
export const answer = (review_id: string, decision: string, arguments_hash = 'ff'): ReviewInput => ({
  kind: 'review',
  review_id,
  decision,
  arguments_hash,
  reviewer: 'ann',
  comment: '',
});
export const violated = (id: string, which: Which = {}) =>
  report('safety_violation', id, which, {
    rule: 'no_remote_shell',
    where: 'tool_arguments',
    reason: 'it pipes a download into a shell',
    steps: 2,
    journal_hash: 'ab',
    usage,
    duration_ms: 5,
  });

export function timer(kind: TimerInput['timer'], due_at: number, id = '', which: Which = {}): TimerInput {
  const none = id === '' ? 0 : 1;
  const { attempt = none, lease = none } = which;
  return { kind: 'timer', timer: kind, task_id: id, attempt, lease, due_at, review_id: '', aggregation: '' };
}

/** The fact that an accepted report becomes, with what the orchestrator changes in its payload. */
export function fact<T extends FactType>(
  event_type: T,
  of: Input,
  change: Partial<PayloadOf<T>> = {},
): FactDraft {
  assert.equal(of.kind, 'report');
  if (of.kind !== 'report') throw new Error('unreachable');
  const { source_agent, target_agent, payload } = of.event;
  return { event_type, source_agent, target_agent, payload: { ...payload, ...change } } as FactDraft;
}

/** What the report of an attempt becomes when there is none after it. */
const used = { usage, duration_ms: 5 };

export function failed(id: string, code: string, { attempt = 1, lease = 1 }: Which = {}): FactDraft {
  const failure = { agent: 'agent-1', code, message: 'it broke', steps: 1, journal_hash: 'ab', ...used };
  const payload = { task_id: id, attempt, lease, ...failure };
  return { event_type: 'task_failed', source_agent: `${id}_role`, target_agent: 'orchestrator', payload };
}

/** An assignment of `task(id)` in wave 1 unless told otherwise. */
export function assigned(
  id: string,
  change: Partial<PayloadOf<'task_assigned'>> = {},
): DraftOf<'task_assigned'> {
  return told('task_assigned', `${id}_role`, {
    task_id: id,
    role: `${id}_role`,
    wave: 1,
    attempt: 1,
    lease: 1,
    description: '',
    script: null,
    needs: [],
    timeout_ms: policy.task_timeout_ms,
    lease_ms: policy.lease_ms,
    journal_partition: -1,
    journal_offset: -1,
    kind: '',
    model: '',
    cheaper: false,
    budget: null,
    roles: [],
    answers: [],
    mission: '',
    context: '',
    compensates: '',
    agents: 0,
    ...change,
  });
}

/** What an assignment says of the tasks that this one needs. */
export const done = (...ids: string[]) =>
  ids.map((id) => ({ task_id: id, role: `${id}_role`, status: 'completed', result: `${id} is done` }));

export function cancelled(id: string, reason: string, which: Which = {}): DraftOf<'task_cancelled'> {
  const { attempt = 1, lease = 1 } = which;
  const what = { task_id: id, role: `${id}_role`, attempt, lease, reason, kind: '' };
  return told('task_cancelled', `${id}_role`, what);
}

export const fired = (of: TimerInput) => {
  const { kind: _, ...payload } = of;
  return own('timer_fired', payload);
};

export const envelope = (timestamp = start) =>
  ({ correlation_id: missionId, priority: 'normal', timestamp }) as const;

/** The state after these facts, all of the same time. */
export function fold(facts: readonly FactDraft[], at = start): MissionState | null {
  return facts.reduce<MissionState | null>((state, each) => evolve(state, each, envelope(at)), null);
}

/** The facts that these inputs lead to, one millisecond after another; each has to be accepted. */
export function history(...inputs: readonly Input[]): { facts: FactDraft[]; state: MissionState } {
  let state: MissionState | null = null;
  const facts: FactDraft[] = [];
  inputs.forEach((input, position) => {
    const decision = decide(state, input, { now: start + position });
    if (decision.kind === 'ignored') assert.fail(`input ${position} is ignored: ${decision.reason}`);
    facts.push(...decision.facts);
    state = decision.state;
  });
  assert.ok(state !== null);
  return { facts, state };
}

interface Outcome {
  /** Exactly these facts follow. */
  then(facts: readonly FactDraft[]): void;
  /** Nothing follows, for this reason. */
  ignored(reason: IgnoreReason): void;
  readonly decision: Decision;
}

/** `past`: the facts so far, or the state that they led to. */
export function given(past: readonly FactDraft[] | MissionState | null): {
  when(input: Input, now?: number): Outcome;
} {
  const state = isFacts(past) ? fold(past) : past;
  return {
    when(input, now = start + 1000) {
      const decision = decide(state, input, { now });
      return {
        decision,
        // oxlint-disable-next-line no-thenable -- given, when, then; nobody awaits it.
        then(expected) {
          if (decision.kind === 'ignored') assert.fail(`ignored: ${decision.reason}`);
          assert.deepEqual(decision.facts.map(line), expected.map(line));
          assert.deepEqual(decision.facts, expected);
        },
        ignored(reason) {
          assert.deepEqual(decision, { kind: 'ignored', reason });
        },
      };
    },
  };
}

const isFacts = (past: readonly FactDraft[] | MissionState | null): past is readonly FactDraft[] =>
  Array.isArray(past);

/** One line of a failing test's difference. */
function line({ event_type, payload }: FactDraft): string {
  const { task_id = '', wave = '', attempt = '', lease = '' } = { ...payload } as Record<string, unknown>;
  return [event_type, task_id, wave, attempt, lease].join(' ').trim();
}
