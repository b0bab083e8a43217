import type { MissionBook } from './mission-book.ts';
import { bodyHash, Once } from './once.ts';
import type { Seen } from './reader.ts';
import { triesOf } from './report-book.ts';
import type { Finding, Violations } from './violations.ts';
import { claimOf, type Payload, type Wired } from './wire.ts';

interface Given {
  readonly type: string;
  readonly mission: string;
  readonly lease: string;
  readonly hash: string;
  readonly payload: Payload;
}

interface Sent {
  readonly mission: string;
  readonly lease: string;
  readonly hash: string;
}

/** What else is known of a lease. */
export interface Leases {
  readonly isClaimed: (lease: string) => boolean;
  /** Whether it waits in the changelog for room in its role's topic. */
  readonly waits: (lease: string) => boolean;
  readonly missions: ReadonlyMap<string, MissionBook>;
}

/** What the ledger gives to roles and to missions below, and what was sent to them: the same, once each. */
export class AssignmentBook {
  private readonly once: Once;
  /** `task_assigned` and `task_cancelled` of the ledger, by event. */
  private readonly facts = new Map<string, Given>();
  private readonly leases = new Set<string>();
  private readonly sent = new Map<string, Sent>();
  private readonly sentLeases = new Set<string>();
  /** The facts that commands to missions below follow from. */
  private readonly commands = new Set<string>();

  constructor(violations: Violations) {
    this.once = new Once(violations);
  }

  takeFact(fact: Wired, bytes: Buffer): void {
    const { event_type: type, event_id, correlation_id: mission, payload } = fact;
    if (type !== 'task_assigned' && type !== 'task_cancelled') return;
    const lease = claimOf(fact);
    if (type === 'task_assigned') this.leases.add(lease);
    this.facts.set(event_id, { type, mission, lease, hash: bodyHash(bytes), payload });
  }

  /** From the topic of a role. */
  takeSent(event: Wired, bytes: Buffer, headers: Seen['headers']): void {
    const { event_id, correlation_id: mission } = event;
    const name = `assignment ${event_id}${triesOf(headers)}`;
    if (!this.once.take(mission, name, bytes, 'in a transaction')) return;
    const lease = claimOf(event);
    this.sent.set(event_id, { mission, lease, hash: bodyHash(bytes) });
    if (event.event_type === 'task_assigned') this.sentLeases.add(lease);
  }

  /** A command that a service wrote, and not a person. */
  takeCommand(command: Wired, bytes: Buffer, headers: Seen['headers']): void {
    const name = `command ${command.event_id}${triesOf(headers)}`;
    this.once.take(command.correlation_id, name, bytes, 'in a transaction');
    this.commands.add(command.causation_id);
  }

  findings(known: Leases): Finding[] {
    const found: Finding[] = [];
    for (const [event, { mission, lease, hash }] of this.sent) {
      const fact = this.facts.get(event);
      // One that is sent again has an id of its own, beside those of facts, and the lease of a fact.
      const again = !/:\d+$/.test(event) && this.leases.has(lease);
      if (fact === undefined && !again)
        found.push({ kind: 'wrong', mission, what: `assignment ${event} is not on the ledger` });
      if (fact !== undefined && fact.hash !== hash)
        found.push({ kind: 'wrong', mission, what: `assignment ${event} is not what the ledger says` });
    }
    for (const [event, given] of this.facts) {
      if (given.type !== 'task_assigned' || this.sentLeases.has(given.lease)) continue;
      const what = this.missing(event, given, known);
      if (what !== null) found.push({ kind: 'lost', mission: given.mission, what });
    }
    return found;
  }

  /** Why an assignment of which nothing was sent should have been; null: it was right not to send it. */
  private missing(event: string, { mission, lease, payload }: Given, known: Leases): string | null {
    if (payload['kind'] === 'mission')
      return this.commands.has(event) ? null : `assignment ${event} has begun no mission`;
    const book = known.missions.get(mission);
    if (known.isClaimed(lease) || book?.isStarted(lease) === true)
      return `assignment ${event} was begun and never sent`;
    // One that was taken back while it waited for room is never sent.
    const open = book?.isAssigned(payload) === true && !known.waits(lease);
    return open ? `assignment ${event} was never sent, and does not wait` : null;
  }
}

/** Whether a service wrote this command, and so in a transaction. */
export const isOfService = ({ source_agent }: Wired): boolean =>
  source_agent === 'orchestrator' || source_agent === 'correlator';
