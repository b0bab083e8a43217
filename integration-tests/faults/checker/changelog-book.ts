import type { MissionBook } from './mission-book.ts';
import { bodyHash } from './once.ts';
import type { Seen } from './reader.ts';
import type { Finding, Kind, Violations } from './violations.ts';
import { number, type Payload, text, type Wired } from './wire.ts';

const positionsKey = '@positions';

/** A partition of a changelog: what its owner's transactions wrote, one after the other. */
interface Log {
  /** Of the transaction that is being read, by key. */
  records: Map<string, string>;
  /** The one before, whole. */
  last: string;
  positions: Payload;
  /** Missions that were written, and not yet compared with the ledger, which is read on its own. */
  readonly changed: Set<string>;
}

interface State {
  readonly sequence: number;
  readonly hash: string;
  readonly status: string;
  readonly tasks: readonly Payload[];
}

const statusOf: Readonly<Record<string, string>> = {
  mission_completed: 'completed',
  mission_failed: 'failed',
  mission_cancelled: 'cancelled',
  mission_rejected: 'rejected',
};

/**
 * The changelogs: every transaction of a partition's owner writes there what it changed, and at last its positions. What
 * is in the orchestrator's of a mission is what the ledger says of it.
 */
export class ChangelogBook {
  private readonly violations: Violations;
  /** By the ledger. */
  private readonly missions: ReadonlyMap<string, MissionBook>;
  private readonly logs = new Map<string, Log>();
  private readonly states = new Map<string, State>();
  /** The ids of a mission's tasks, in the order of their states. */
  private readonly plans = new Map<string, readonly string[]>();
  /** Assignments that wait for room, by <mission>/<task>, as leases. */
  private readonly waiting = new Map<string, string>();

  constructor(violations: Violations, missions: ReadonlyMap<string, MissionBook>) {
    this.violations = violations;
    this.missions = missions;
  }

  /** `record`: the value, decoded, of the orchestrator's changelog; null where it is none, and for all others. */
  take(seen: Pick<Seen, 'topic' | 'partition' | 'key' | 'value'>, record: Wired | null): void {
    const { topic, partition, key, value } = seen;
    const place = `${topic}/${partition}`;
    const empty = { records: new Map(), last: '', positions: {}, changed: new Set<string>() };
    const log = this.logs.get(place) ?? empty;
    this.logs.set(place, log);
    if (topic.endsWith('.orchestrator.state')) this.takeState(key, record, log);
    if (key === positionsKey) return this.endTransaction(place, log, value?.toString() ?? '{}');
    if (key.startsWith('@')) return;
    const hash = value === null ? '' : bodyHash(value);
    if (log.records.get(key) === hash)
      this.violations.add('duplicated', place, `${key} twice in a transaction`);
    log.records.set(key, hash);
  }

  private endTransaction(place: string, log: Log, value: string): void {
    const whole = [...log.records].map(([key, hash]) => `${key}=${hash}`).join() + value;
    if (log.records.size > 0 && whole === log.last)
      this.violations.add('duplicated', place, `a transaction twice: ${[...log.records.keys()].join()}`);
    const positions = JSON.parse(value) as Payload;
    for (const topic of Object.keys(positions)) {
      const [before, now] = [number(log.positions[topic]), number(positions[topic])];
      if (now < before)
        this.violations.add('wrong', place, `the position in ${topic} went from ${before} to ${now}`);
    }
    this.logs.set(place, { ...log, records: new Map(), last: whole, positions });
    for (const id of log.changed) this.compare(id, log.changed);
  }

  /** As soon as the ledger was read as far as the changelog: later both may have gone on. */
  private compare(id: string, changed: Set<string>): void {
    const [state, book] = [this.states.get(id), this.missions.get(id)];
    if (state === undefined || book === undefined || state.sequence > book.sequence) return;
    changed.delete(id);
    for (const what of differences(state, book, this.plans.get(id) ?? []))
      this.violations.add('wrong', id, `changelog: ${what}`);
  }

  private takeState(key: string, record: Wired | null, log: Log): void {
    const [what = '', ...rest] = key.split('/');
    const id = rest.join('/');
    if (what === 'mission' && record !== null) {
      const { sequence, head_hash, status, tasks } = record.fields;
      const states = Array.isArray(tasks) ? (tasks as Payload[]) : [];
      this.states.set(id, {
        sequence: number(sequence),
        hash: text(head_hash),
        status: text(status),
        tasks: states,
      });
      log.changed.add(id);
    } else if (what === 'plan') {
      const tasks = Array.isArray(record?.fields['tasks']) ? (record.fields['tasks'] as Payload[]) : [];
      this.plans.set(
        id,
        tasks.map((task) => text(task['id'])),
      );
    } else if (what === 'dispatch') {
      if (record === null) this.waiting.delete(id);
      else
        this.waiting.set(id, `${id}/${number(record.payload['attempt'])}/${number(record.payload['lease'])}`);
    }
  }

  /** Whether this lease, <mission>/<task>/<attempt>/<lease>, waits for room in its role's topic. */
  waits(lease: string): boolean {
    const task = lease.split('/').slice(0, -2).join('/');
    return this.waiting.get(task) === lease;
  }

  /** Where one of them says more than the other. All that was written must have been read. */
  findings(): Finding[] {
    const found: Finding[] = [];
    const add = (kind: Kind, mission: string, what: string) =>
      found.push({ kind, mission, what: `changelog: ${what}` });
    for (const [id, { sequence }] of this.missions) {
      const state = this.states.get(id)?.sequence ?? 0;
      if (state > sequence) add('lost', id, `${state} facts, and ${sequence} on the ledger`);
      else if (state < sequence) add('wrong', id, `${state} facts, and ${sequence} on the ledger`);
    }
    for (const id of this.states.keys())
      if (!this.missions.has(id)) add('lost', id, 'a mission of which nothing is on the ledger');
    return found;
  }
}

/** What the changelog says of a mission, and the ledger does not. */
function differences(state: State, book: MissionBook, plan: readonly string[]): string[] {
  if (state.hash !== book.hashAt(state.sequence))
    return [`another fact ${state.sequence} than on the ledger`];
  // The ledger was read further: of what was then, only that fact is known.
  if (state.sequence < book.sequence) return [];
  const found: string[] = [];
  const ended = statusOf[book.end];
  const agrees =
    ended === undefined ? ['planning', 'running'].includes(state.status) : ended === state.status;
  if (!agrees) found.push(`${state.status}, and ${book.end || 'no end'} on the ledger`);
  // Of a mission that has ended the changelog keeps no tasks.
  if (ended !== undefined) return found;
  if (plan.length !== state.tasks.length) found.push(`${plan.length} tasks and ${state.tasks.length} states`);
  for (const [i, id] of plan.entries()) {
    const task = book.tasks.get(id);
    const kept = state.tasks[i];
    if (kept === undefined || task?.status === '') continue;
    const said = `${text(kept['status'])} ${number(kept['attempt'])}/${number(kept['lease'])}`;
    const expected = task === undefined ? 'pending 0/0' : `${task.status} ${task.attempt}/${task.lease}`;
    if (said !== expected) found.push(`task ${id} is ${said}, and ${expected} on the ledger`);
  }
  return found;
}
