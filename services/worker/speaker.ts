/** What an agent says to others in the middle of its task, sent as reports to the orchestrator. */
import type { SaidReport } from './report.ts';

/** The part of a task that its tools speak through. */
export interface Speaker {
  readonly role: string;
  /** Takes secrets out: what is said is on the ledger for good. */
  scrub(text: string): string;
  /**
   * Resolves when the broker has the report. One that is sent again has the same id, and the orchestrator accepts it
   * once. Throws the signal's reason when it is aborted.
   */
  say(report: SaidReport, signal: AbortSignal): Promise<void>;
}
