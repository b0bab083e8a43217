/** How long after a fault the next fact is accepted, in each place that the fault concerns. */
import type { CheckedFact, Checker } from './checker/checker.ts';
import { text } from './checker/wire.ts';

/** Milliseconds by this machine's clock. */
export interface Sample {
  /** From when what the fault took away was there again: with several brokers, every leader and enough in sync. */
  readonly ms: number;
  readonly fromFault: number;
}

export class Recovery {
  private readonly checker: Checker;
  private readonly group: (mission: string) => number | null;
  private samples: Sample[] = [];

  constructor(checker: Checker) {
    this.checker = checker;
    this.group = (mission) => checker.missions.get(mission)?.partition ?? null;
  }

  /**
   * From now to the next fact of each of these partitions in which a mission is under way; one that has nothing to do
   * says nothing about recovery.
   */
  ofPartitions(partitions: readonly number[], from = Date.now(), fault = from): void {
    const busy = new Set(this.checker.open.map((mission) => this.group(mission)));
    const waiting = new Set(partitions.filter((partition) => busy.has(partition)));
    this.until({ from, fault }, waiting, ({ partition }) => partition);
  }

  /** From now to the next fact of each task that this agent has claimed and not ended. */
  ofAgent(pid: number, from = Date.now()): void {
    this.until(
      { from, fault: from },
      this.heldBy(pid),
      ({ fact }) => `${fact.correlation_id}/${text(fact.payload['task_id'])}`,
    );
  }

  /** The tasks that this agent has claimed and not ended, as <mission>/<task>. */
  heldBy(pid: number): Set<string> {
    const held = new Set<string>();
    for (const [key, agent] of this.checker.holders) if (agent.endsWith(`:${pid}`)) held.add(key);
    return held;
  }

  private until<Place>(
    { from, fault }: { readonly from: number; readonly fault: number },
    waiting: Set<Place>,
    placeOf: (checked: CheckedFact) => Place,
  ): void {
    if (waiting.size === 0) return;
    const stop = this.checker.onFact((checked) => {
      const { writtenAt, readAt } = checked;
      // What was on its way when the fault came is no sign of recovery.
      if (this.checker.trustClocks && writtenAt <= from) return;
      if (!waiting.delete(placeOf(checked))) return;
      this.samples.push({ ms: Math.max(0, readAt - from), fromFault: readAt - fault });
      if (waiting.size === 0) stop();
    });
  }

  take(): Sample[] {
    const taken = this.samples;
    this.samples = [];
    return taken;
  }
}

/** Of a list of numbers; null of an empty one. */
export function percentile(samples: readonly number[], of: number): number | null {
  if (samples.length === 0) return null;
  const sorted = samples.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil((of / 100) * sorted.length) - 1)] ?? 0);
}
