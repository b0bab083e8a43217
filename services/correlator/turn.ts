import type { FactEvent } from '#orchestrator/facts.ts';
import type { ReactionReport, ReactionReportType } from '#orchestrator/input.ts';
import type { MissionCommand, PayloadOf } from '#schemas/types.gen.ts';
import { hopsOf } from './hops.ts';
import type { Correlation, Join } from './state.ts';

export const correlator = 'correlator';

/** Reports whose facts may lead to more work, so that nothing may be given up before they are known. */
const open: ReadonlySet<ReactionReportType> = new Set([
  'event_emitted',
  'task_requested',
  'pause_requested',
  'aggregation_completed',
  'aggregation_timed_out',
]);

/** What the correlator makes of one fact. */
export class Turn {
  readonly fact: FactEvent;
  readonly hops: number;
  readonly reports: ReactionReport[] = [];
  readonly missions: MissionCommand[] = [];
  state: Correlation;

  constructor(state: Correlation, fact: FactEvent) {
    this.state = state;
    this.fact = fact;
    this.hops = hopsOf(state, fact);
  }

  /** `id` follows from the fact: the same fact gives the same report, and the ledger takes it once. */
  report<T extends ReactionReportType>(
    event_type: T,
    id: string,
    payload: PayloadOf<T>,
    { source = correlator, target = 'orchestrator' } = {},
  ): void {
    const { correlation_id, priority, timestamp, event_id } = this.fact;
    const event = {
      event_id: id,
      event_type,
      source_agent: source,
      target_agent: target,
      timestamp,
      version: 1,
      correlation_id,
      causation_id: event_id,
      priority,
      sequence: 0,
      previous_hash: '',
      payload,
    };
    // The compiler does not see that the type and the payload belong together.
    this.reports.push(event as unknown as ReactionReport);
    if (!open.has(event_type)) return;
    this.state = { ...this.state, reports: new Set(this.state.reports).add(id) };
  }

  keep(join: Join): void {
    if (this.state.joins.get(join.aggregation) === join) return;
    this.state = { ...this.state, joins: new Map(this.state.joins).set(join.aggregation, join) };
  }

  /** Counts a reaction of what has this name. */
  count(name: string): void {
    const { counts, reactions } = this.state;
    const next = new Map(counts).set(name, (counts.get(name) ?? 0) + 1);
    this.state = { ...this.state, counts: next, reactions: reactions + 1 };
  }
}
