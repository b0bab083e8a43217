import { bodyHash, Once, type Written } from './once.ts';
import type { Seen } from './reader.ts';
import type { Violations } from './violations.ts';
import { claimOf, number, text, type Wired } from './wire.ts';

/** What was reported to the orchestrator: each report once, and one claim of each lease. */
export class ReportBook {
  private readonly once: Once;
  private readonly violations: Violations;
  private readonly ids = new Set<string>();
  private readonly claims = new Map<string, { readonly agent: string; readonly hash: string }>();

  constructor(violations: Violations) {
    this.violations = violations;
    this.once = new Once(violations);
  }

  take(report: Wired, value: Buffer, headers: Seen['headers']): void {
    this.ids.add(report.event_id);
    if (report.event_type === 'task_started') return this.claim(report, value, headers);
    // What an agent says in a step is known by its step, and the next lease may come to the same one.
    const name = `report ${report.event_id}#${number(report.payload['lease'])}${triesOf(headers)}`;
    this.once.take(report.correlation_id, name, value, writtenBy(report));
  }

  /** A claim is written in a transaction with the position behind its assignment, so there is one of each lease. */
  private claim(report: Wired, value: Buffer, headers: Seen['headers']): void {
    const lease = claimOf(report);
    const claim = { agent: text(report.payload['agent']), hash: bodyHash(value) };
    const before = this.claims.get(lease);
    this.claims.set(lease, before ?? claim);
    if (before === undefined || triesOf(headers) !== '') return;
    const by = before.agent === claim.agent ? 'twice' : `by ${before.agent} and by ${claim.agent}`;
    const same = before.hash === claim.hash ? ', byte for byte' : '';
    this.violations.add('duplicated', report.correlation_id, `lease ${lease} was claimed ${by}${same}`);
  }

  isClaimed(lease: string): boolean {
    return this.claims.has(lease);
  }

  has(event_id: string): boolean {
    return this.ids.has(event_id);
  }
}

/**
 * Claims are written in transactions, and so is what services say: the correlator's reports name no agent, and those of
 * a mission within a mission name the mission.
 */
export function writtenBy({ event_type, payload }: Wired): Written {
  const agent = text(payload['agent']);
  const inTransaction = event_type === 'task_started' || agent === '' || agent.startsWith('mission ');
  return inTransaction ? 'in a transaction' : 'outside transactions';
}

/** A record that had to wait, or was a dead letter, is sent back to its topic: then it is there once more. */
export const triesOf = (headers: Seen['headers']): string =>
  [headers['ravenhelm.attempts'], headers['ravenhelm.redrives']].map((n) => (n ? `+${n}` : '')).join('');
