/**
 * The time of each mission: that of our clock, or ahead of it where an earlier owner's clock was. The ledger's time never
 * goes back, so without this a mission whose orchestrator was an hour fast would wait for its timers for an hour: here
 * its time goes on from its newest fact. Milliseconds.
 */
export class MissionClocks {
  private readonly ahead = new Map<string, number>();

  /** The mission's time when our clock says `now`. */
  at(id: string, now: number): number {
    return now + (this.ahead.get(id) ?? 0);
  }

  /** What our clock says when the mission's time is `due`. */
  clockAt(id: string, due: number): number {
    return due - (this.ahead.get(id) ?? 0);
  }

  /** The mission's newest fact has this time. True when its time went ahead by that: its timers come due earlier. */
  saw(id: string, updated_at: number, now: number): boolean {
    const behind = updated_at - this.at(id, now);
    if (behind <= 0) return false;
    this.ahead.set(id, (this.ahead.get(id) ?? 0) + behind);
    return true;
  }

  forget(id: string): void {
    this.ahead.delete(id);
  }
}
