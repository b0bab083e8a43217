import type { TimerInput } from './input.ts';
import { MissionClocks } from './mission-clocks.ts';
import type { MissionState } from './state.ts';
import { TimerQueue } from './timer-queue.ts';
import { dueTimers, type NotBefore, nextDue, timerId } from './timers.ts';

/** How long a timer that could not be decided is left alone: doubled with each failure in a row; ms. */
const pause = { first: 1_000, most: 60_000 };

interface Paused {
  readonly until: number;
  readonly failures: number;
}

/**
 * When the timers of the missions of one partition are to be decided. Each mission has a clock of its own
 * (`mission-clocks.ts`). A timer that cannot be decided pauses alone: the others of its mission go on.
 */
export class MissionTimers {
  private readonly stateOf: (id: string) => MissionState | undefined;
  private readonly clocks = new MissionClocks();
  private readonly queue = new TimerQueue();
  private readonly changed = new Set<string>();
  /** By mission and timer; `until` is the mission's time. */
  private readonly paused = new Map<string, Map<string, Paused>>();

  constructor(stateOf: (id: string) => MissionState | undefined) {
    this.stateOf = stateOf;
  }

  /** The mission's time. The clock may be set back, or have been ahead in another process; the ledger's time goes on. */
  timeOf(id: string, { updated_at }: MissionState, clock: number): number {
    if (this.clocks.saw(id, updated_at, clock)) this.changed.add(id);
    return this.clocks.at(id, clock);
  }

  /** The mission's timers may have moved. */
  touch(id: string): void {
    this.changed.add(id);
  }

  /** The mission that has the next timer, and when it is due by our clock; null: no timer is set. */
  first(): { readonly id: string; readonly due: number } | null {
    for (const id of this.changed) {
      const state = this.stateOf(id);
      const due = state === undefined ? null : nextDue(state, this.notBefore(id));
      this.queue.set(id, due === null ? null : this.clocks.clockAt(id, due));
    }
    this.changed.clear();
    return this.queue.first();
  }

  /** The mission's timers that are due, in their order. */
  due(id: string, clock: number): readonly TimerInput[] {
    const state = this.stateOf(id);
    this.changed.add(id);
    return state === undefined ? [] : dueTimers(state, this.timeOf(id, state, clock), this.notBefore(id));
  }

  decided(id: string, timer: TimerInput): void {
    this.paused.get(id)?.delete(timerId(id, timer));
  }

  /** It could not be decided, and is tried again after a pause. */
  failed(id: string, timer: TimerInput, clock: number): void {
    const paused = this.paused.get(id) ?? new Map<string, Paused>();
    const key = timerId(id, timer);
    const failures = (paused.get(key)?.failures ?? 0) + 1;
    const wait = Math.min(pause.first * 2 ** (failures - 1), pause.most);
    this.paused.set(id, paused.set(key, { until: this.clocks.at(id, clock) + wait, failures }));
    this.changed.add(id);
  }

  forget(id: string): void {
    this.clocks.forget(id);
    this.paused.delete(id);
    this.changed.add(id);
  }

  private notBefore(id: string): NotBefore | null {
    const paused = this.paused.get(id);
    if (paused === undefined || paused.size === 0) return null;
    return (timer) => paused.get(timerId(id, timer))?.until ?? 0;
  }
}
