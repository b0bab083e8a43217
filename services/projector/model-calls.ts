import type { Usage } from '#schemas/types.gen.ts';
import { instant } from './rows.ts';
import type { StepEvent } from './steps-fold.ts';

/** What one record says of a model call: of one lease, so that nothing paid for is lost when a resume calls again. */
export interface ModelCallRow extends Partial<Omit<Usage, 'cost_usd'>> {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  readonly step: number;
  readonly sequence: number;
  readonly role: string;
  readonly provider: string;
  readonly model: string;
  readonly status: 'started' | 'ok' | 'failed';
  /** When it ended; until then when it began. */
  readonly at: string | null;
  /** Billionths of a US dollar; null: not known. */
  readonly cost_nanos: number | null;
}

/** Null for what is no model call. */
export function modelCallRow(event: StepEvent): ModelCallRow | null {
  if (event.event_type !== 'model_call_started' && event.event_type !== 'model_call_ended') return null;
  const { correlation_id: mission_id, sequence, source_agent: role, timestamp } = event;
  const { task_id, attempt, lease, step, provider, model } = event.payload;
  const about = { mission_id, task_id, attempt, lease, step, sequence, role, provider, model };
  const call = { ...about, at: instant(timestamp) };
  // A script costs nothing, also where nobody heard how it ended.
  const free = provider === 'scripted' ? 0 : null;
  if (event.event_type === 'model_call_started') return { ...call, status: 'started', cost_nanos: free };
  const { ok, usage } = event.payload;
  const { cost_usd, calls: _, ...tokens } = usage;
  return { ...call, ...tokens, status: ok ? 'ok' : 'failed', cost_nanos: free ?? nanos(cost_usd) };
}

/** Exact to the nano-dollar up to two million dollars. What is no amount is not known. */
export function nanos(usd: number | null): number | null {
  const amount = Math.round((usd ?? Number.NaN) * 1e9);
  return Number.isSafeInteger(amount) && amount >= 0 ? amount : null;
}
