import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import type { Event, EventOf, Usage } from '#schemas/types.gen.ts';
import { type Changes, keyOf } from './changes.ts';
import type { Client } from './database.ts';
import { decoded, type Fold, type FoldedBatch, nothingToRemember, putError } from './fold.ts';
import { modelCallRow } from './model-calls.ts';
import { instant, usedBy } from './rows.ts';
import { quoted } from './schema-name.ts';

export type StepEvent = EventOf<
  'model_call_started' | 'model_call_ended' | 'tool_call_started' | 'tool_call_ended' | 'journal_resumed'
>;
export type CallEvent = Exclude<StepEvent, { readonly event_type: 'journal_resumed' }>;

/** What one record says of a call. A field that is left out is not spoken of. */
export interface StepRow extends Partial<Usage> {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly step: number;
  readonly lease: number;
  readonly sequence: number;
  readonly kind: 'model' | 'tool';
  readonly role: string;
  readonly agent: string;
  readonly partition: number;
  readonly offset: number;
  readonly status: 'started' | 'ok' | 'failed';
  /** The model, or the tool. */
  readonly name: string;
  readonly provider?: string;
  readonly effect?: string;
  readonly input?: string;
  readonly output?: string;
  readonly tool_calls?: readonly object[];
  readonly truncated?: boolean;
  readonly stop_reason?: string;
  readonly code?: string;
  readonly message?: string;
  readonly started_at?: string | null;
  readonly ended_at?: string | null;
  readonly duration_ms?: number;
}

export function stepRow(event: CallEvent, partition: number, offset: number): StepRow {
  const { correlation_id: mission_id, sequence, source_agent: role } = event;
  const { task_id, attempt, lease, step, agent } = event.payload;
  const at = instant(event.timestamp);
  const call = { mission_id, task_id, attempt, step, lease, sequence, role, agent, partition, offset };
  switch (event.event_type) {
    case 'model_call_started': {
      const { model, provider } = event.payload;
      return { ...call, kind: 'model', status: 'started', name: model, provider, started_at: at };
    }
    case 'model_call_ended': {
      const { model, provider, ok, text, tool_calls, stop_reason, code, message, duration_ms } =
        event.payload;
      const told = { provider, output: text, tool_calls, stop_reason, code, message, duration_ms };
      const ended = { status: status(ok), ended_at: at, ...usedBy(event.payload.usage) };
      return { ...call, kind: 'model', name: model, ...told, ...ended };
    }
    case 'tool_call_started': {
      const { tool, effect, arguments: input } = event.payload;
      return { ...call, kind: 'tool', status: 'started', name: tool, effect, input, started_at: at };
    }
    case 'tool_call_ended': {
      const { tool, ok, output, truncated, code, message, duration_ms } = event.payload;
      const told = { output, truncated, code, message, duration_ms };
      return { ...call, kind: 'tool', name: tool, ...told, status: status(ok), ended_at: at };
    }
  }
}

const status = (ok: boolean): 'ok' | 'failed' => (ok ? 'ok' : 'failed');

/** A journal whose newest lease, where it was resumed, is known. */
interface Resumed {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
}

/**
 * Folds the journals of tasks into one row for each call. As for whoever resumes a task, the marker of a resume ends
 * all older leases: what they write after it does not count, but for what it has cost.
 */
export class StepsFold implements Fold {
  private readonly codec: Codec;
  private readonly schema: string;

  constructor(codec: Codec, schema: string) {
    this.codec = codec;
    this.schema = schema;
  }

  forget(): void {}

  async fold(client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    const events = this.readEvents(batch, changes);
    const resumed = await this.readResumed(
      client,
      events.map(({ event }) => event),
    );
    for (const { offset, event } of events) {
      const { task_id, attempt, lease } = event.payload;
      const call = modelCallRow(event);
      if (call !== null) {
        const { mission_id, task_id, attempt, lease, step } = call;
        changes.put('model_calls', keyOf(mission_id, task_id, attempt, lease, step), call);
      }
      const journal = keyOf(event.correlation_id, task_id, attempt);
      const oldest = resumed.get(journal) ?? 0;
      if (lease < oldest) continue;
      if (event.event_type === 'journal_resumed') {
        resumed.set(journal, lease);
        const row: Resumed = { mission_id: event.correlation_id, task_id, attempt, lease };
        changes.put('resumed_journals', journal, row);
      } else {
        const row = stepRow(event, batch.partition, offset);
        changes.put('steps', keyOf(row.mission_id, row.task_id, row.attempt, row.step), row);
      }
    }
    return nothingToRemember;
  }

  private readEvents(batch: FoldedBatch, changes: Changes): { offset: number; event: StepEvent }[] {
    const events: { offset: number; event: StepEvent }[] = [];
    for (const record of batch.records) {
      try {
        const { value } = decoded(this.codec, record);
        const event = value.value as Event;
        if (!isStep(event)) {
          throw new Failure('unexpected_type', `found ${value.name}, expected a record of a journal`);
        }
        events.push({ offset: record.offset, event });
      } catch (error) {
        putError(changes, batch, record.offset, error);
      }
    }
    return events;
  }

  /** Few journals are ever resumed, so that few rows are found here. */
  private async readResumed(client: Client, events: readonly StepEvent[]): Promise<Map<string, number>> {
    const missions = [...new Set(events.map((event) => event.correlation_id))];
    const { rows } = await client.query<Resumed>(
      `select mission_id, task_id, attempt, lease from ${quoted(this.schema)}.resumed_journals
        where mission_id = any($1::text[])`,
      [missions],
    );
    return new Map(
      rows.map(({ mission_id, task_id, attempt, lease }) => [keyOf(mission_id, task_id, attempt), lease]),
    );
  }
}

const stepTypes: Readonly<Record<StepEvent['event_type'], true>> = {
  model_call_started: true,
  model_call_ended: true,
  tool_call_started: true,
  tool_call_ended: true,
  journal_resumed: true,
};

function isStep(event: Event): event is StepEvent {
  return event.event_type !== undefined && Object.hasOwn(stepTypes, event.event_type);
}
