import assert from 'node:assert/strict';
import type { MissionOptions, PayloadOf, Subscription, TaskSpec, Usage } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import type { FactDraft, FactType } from './facts.ts';
import type { EmitInput, Input, ReactionReportType, ReportEvent, TimerInput } from './input.ts';
import { missionId, policy, report, task, timer, type Which } from './scenario.ts';

/** For tests: what agents say in the middle of their tasks, and what reactions report. */

/** What agents say; each is step 3 unless told otherwise. */
const at = (step: number, more: object) => ({ step, ...more });
export const handedOff = (id: string, to_role: string, which: Which = {}, used: Partial<Usage> = {}) =>
  report('agent_handoff', id, which, {
    ...at(3, { from_role: `${id}_role`, to_role, context: `${id} found out`, reason: 'not mine' }),
    ...{ steps: 2, journal_hash: 'ab', usage: { ...noUsage, ...used }, duration_ms: 5 },
  });
export const requires = (id: string, dependency: string, which: Which = {}, step = 3) =>
  report('dependency_required', id, which, at(step, { dependency, reason: 'needed' }));
export const provides = (id: string, dependency: string, value: string, which: Which = {}, step = 3) =>
  report('dependency_resolved', id, which, at(step, { dependency, value }));
export const decided = (id: string, which: Which = {}, step = 3) =>
  report('decision_recorded', id, which, at(step, { decision: 'x', reasons: ['y'], alternatives: [] }));
export const saves = (id: string, content: string, which: Which = {}, step = 3) =>
  report('checkpoint_created', id, which, at(step, { name: 'half', content_hash: 'ab', content }));
export const shares = (id: string, scope: string, content: string, which: Which = {}, step = 3) =>
  report('context_synced', id, which, at(step, { scope, content_hash: 'ab', content }));
const nothing = { topic: '', severity: '', data: '', subscription: '', trigger: '', hops: 0 };
export const emits = (id: string, name: string, which: Which = {}, step = 3) =>
  report('event_emitted', id, which, at(step, { ...nothing, name }));

/** What the correlator reports. */
function reaction<T extends ReactionReportType>(event_type: T, payload: PayloadOf<T>): Input {
  const input = report(event_type, '', {}, {});
  if (input.kind !== 'report') throw new Error('unreachable');
  const event = { ...input.event, source_agent: 'correlator', payload };
  return { kind: 'report', event: event as unknown as ReportEvent };
}
export const requests = (id: string, more: Partial<TaskSpec> = {}, trigger = `${missionId}:1`) =>
  reaction('task_requested', {
    task: task(id, [], { hops: 1, ...more }),
    ...{ subscription: 'sub', trigger, reason: 'met' },
  });
export const reacted = (name: string, hops = 1, subscription = 'sub') =>
  reaction('event_emitted', {
    ...{ ...nothing, name, hops, subscription, trigger: `${missionId}:1` },
    ...{ task_id: '', attempt: 0, lease: 0, agent: '', step: 0 },
  });
export const pauses = (reason = 'look') =>
  reaction('pause_requested', { subscription: 'sub', trigger: `${missionId}:1`, reason });
export const joins = (aggregation: string, due_at = 0) =>
  reaction('aggregation_started', { aggregation, expected: ['x', 'y'], due_at, trigger: `${missionId}:1` });
export const joined = (aggregation: string, type: JoinEnd = 'aggregation_completed') =>
  reaction(type, { aggregation, received: ['x'], missing: ['y'], events: [`${missionId}:1`], hops: 0 });
type JoinEnd = 'aggregation_completed' | 'aggregation_timed_out';
export const settled = (up_to: number) => reaction('reactions_settled', { up_to });
export const raised = (code: string) =>
  reaction('error_raised', {
    ...{
      task_id: '',
      code,
      message: 'why',
      where: 'sub',
      severity: 'error',
      subscription: 'sub',
      trigger: '',
    },
  });
export const emission = (name: string): EmitInput => ({
  kind: 'emit',
  emission: { name, topic: '', severity: '', data: '' },
  by: 'person:ann',
});

/** A mission whose reactions exist; what they are is the correlator's matter. */
export const subscription = (name: string): Subscription => ({
  name,
  role: 'a_role',
  on: { name: '', type: 'asked', source: '', target: '', severity: '', topic: '', where: [] },
  reaction: { action: 'pause', task: null, emit: null, reason: 'look' },
  most: 0,
});
export const reacting = (more: Partial<MissionOptions> = {}) => ({
  policy: { ...policy, options: { ...policy.options, subscriptions: [subscription('sub')], ...more } },
});

export function joinTimer(aggregation: string, due_at: number): TimerInput {
  return { ...timer('aggregation', due_at), aggregation };
}

/** The payload of a fact that has to be of this type. */
export function payloadOf<T extends FactType>(event_type: T, fact: FactDraft | undefined): PayloadOf<T> {
  assert.equal(fact?.event_type, event_type);
  return fact?.payload as PayloadOf<T>;
}
