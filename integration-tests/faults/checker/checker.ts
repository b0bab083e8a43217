/** The running checker: reads all that matters as it is written, and says at once when something cannot be. */
import { Failure } from '#chassis/failures.ts';
import { AssignmentBook, isOfService } from './assignment-book.ts';
import { ChangelogBook } from './changelog-book.ts';
import { MissionBook } from './mission-book.ts';
import { Once } from './once.ts';
import { Reader, type Seen } from './reader.ts';
import { ReportBook } from './report-book.ts';
import { StepBook } from './step-book.ts';
import type { Finding, Violations } from './violations.ts';
import { text, Wire, type Wired } from './wire.ts';

export interface Topics {
  readonly missions: string;
  readonly reports: string;
  readonly coordination: string;
  readonly steps: string;
  readonly status: string;
  readonly dlq: string;
  /** Of assignments, one a role. */
  readonly tasks: readonly string[];
  /** Changelogs: each takeover of a partition leaves a marker there. */
  readonly states: readonly string[];
}

export interface CheckedFact {
  readonly fact: Wired;
  readonly partition: number;
  /** By the clock of whoever wrote it. */
  readonly writtenAt: number;
  readonly readAt: number;
}

export interface Review {
  readonly mission: string;
  readonly review_id: string;
  readonly kind: string;
  readonly arguments_hash: string;
}

type ReportListener = (report: Wired, key: string, value: Buffer) => void;

/** Longer than any transaction may be open. */
const readMs = 60_000;

export class Checker {
  readonly missions = new Map<string, MissionBook>();
  readonly reviews = new Map<string, Review>();
  readonly steps: StepBook;
  deadLetters = 0;
  facts = 0;
  /** The longest that a record was held back from this reader, in milliseconds. */
  longestStall = 0;
  /** Off while a producer's clock is wrong, as it is the producer who says when. */
  trustClocks = true;
  /** When each changelog's partition was taken over last, by `topic/partition`. */
  readonly takeovers = new Map<string, number>();
  /** Which agent has claimed each running task, by <mission>/<task>. */
  readonly holders = new Map<string, string>();
  private readonly reports: ReportBook;
  private readonly assignments: AssignmentBook;
  private readonly changelogs: ChangelogBook;
  /** Statuses of missions, and dead letters. */
  private readonly others: Once;
  private causes: { readonly mission: string; readonly type: string; readonly cause: string }[] = [];
  private readonly listeners = new Set<(fact: CheckedFact) => void>();
  private readonly reportListeners = new Set<ReportListener>();
  private readonly reader: Reader;
  private readonly wire: Wire;
  private readonly topics: Topics;
  private readonly violations: Violations;

  constructor(settings: {
    readonly brokers: string;
    readonly registry: string;
    readonly topics: Topics;
    readonly violations: Violations;
  }) {
    const { brokers, registry, topics, violations } = settings;
    this.topics = topics;
    this.violations = violations;
    this.wire = new Wire(registry);
    this.steps = new StepBook(violations);
    this.reports = new ReportBook(violations);
    this.assignments = new AssignmentBook(violations);
    this.changelogs = new ChangelogBook(violations, this.missions);
    this.others = new Once(violations);
    const { missions, reports, coordination, steps, status, dlq, tasks, states } = topics;
    this.reader = new Reader({
      brokers,
      topics: [missions, reports, coordination, steps, status, dlq, ...tasks, ...states],
      take: (seen) => this.take(seen),
      gap: (place, what) => violations.add('lost', place, `of its log: ${what}`),
    });
  }

  start(signal: AbortSignal): Promise<void> {
    return this.reader.start(signal);
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  /** Calls back for each fact from now on, until the returned function is called. */
  onFact(listener: (fact: CheckedFact) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** The same for each report, with its key and its bytes. */
  onReport(listener: ReportListener): () => void {
    this.reportListeners.add(listener);
    return () => void this.reportListeners.delete(listener);
  }

  get open(): readonly string[] {
    return [...this.missions.values()].filter(({ end }) => end === '').map(({ id }) => id);
  }

  private async take(seen: Seen): Promise<void> {
    const { topic, value, key } = seen;
    const { dlq, states } = this.topics;
    const isState = states.includes(topic);
    if (isState && key === '@epoch') this.takeovers.set(`${topic}/${seen.partition}`, seen.readAt);
    if (!isState && this.trustClocks)
      this.longestStall = Math.max(this.longestStall, seen.readAt - seen.timestamp);
    // Others' changelogs are theirs: only that nothing is there twice matters.
    const opaque = topic === dlq || (isState && !topic.endsWith('.orchestrator.state'));
    this.judge(seen, opaque || value === null ? null : await this.wire.decode(value));
  }

  /** @param event The value, decoded; null where it is no event that anybody can read, or none is needed. */
  judge(seen: Seen, event: Wired | null): void {
    const { topic, value, headers, key } = seen;
    const { topics } = this;
    if (topics.states.includes(topic)) this.changelogs.take(seen, event);
    else if (topic === topics.dlq) this.takeLetter(seen);
    else if (event === null || value === null) return;
    else if (topic === topics.coordination) this.takeFact(event, value, seen);
    else if (topic === topics.reports) {
      for (const listener of this.reportListeners) listener(event, key, value);
      this.reports.take(event, value, headers);
    } else if (topic === topics.steps) this.steps.take(event, value, seen.timestamp);
    else if (topic === topics.missions) {
      if (isOfService(event)) this.assignments.takeCommand(event, value, headers);
    } else if (topic === topics.status)
      this.others.take(event.correlation_id, `status ${event.event_id}`, value, 'in a transaction');
    else this.assignments.takeSent(event, value, headers);
  }

  private takeFact(fact: Wired, bytes: Buffer, { partition, timestamp, readAt }: Seen): void {
    const { correlation_id: id, event_type: type, payload } = fact;
    this.facts += 1;
    let book = this.missions.get(id);
    if (book === undefined) {
      book = new MissionBook(id, partition, this.violations);
      this.missions.set(id, book);
    }
    book.take(fact, bytes, partition);
    this.assignments.takeFact(fact, bytes);
    this.steps.takeFact(fact);
    const task = `${id}/${text(payload['task_id'])}`;
    if (type === 'task_started') this.holders.set(task, text(payload['agent']));
    else this.holders.delete(task);
    if (type === 'task_started' || type === 'task_completed')
      this.causes.push({ mission: id, type, cause: fact.causation_id });
    if (type === 'review_requested') {
      this.reviews.set(text(payload['review_id']), {
        mission: id,
        review_id: text(payload['review_id']),
        kind: text(payload['kind']),
        arguments_hash: text(payload['arguments_hash']),
      });
    }
    if (type === 'review_completed') this.reviews.delete(text(payload['review_id']));
    for (const listener of this.listeners) listener({ fact, partition, writtenAt: timestamp, readAt });
  }

  /** One letter of each record and each service that could not take it, however often it was sent back. */
  private takeLetter({ topic, partition, offset, value, headers }: Seen): void {
    this.deadLetters += 1;
    const of = ['topic', 'partition', 'offset', 'stage'].map((name) => headers[`__connect.errors.${name}`]);
    const where = headers['__connect.errors.topic'] === undefined ? [topic, partition, offset] : of;
    const name = `dead letter of ${where.join('/')}, redriven ${headers['ravenhelm.redrives'] ?? 0} times`;
    this.others.take('dead letters', name, value ?? Buffer.alloc(0), 'in a transaction');
  }

  /**
   * What can only be said when all is quiet and all is read. What moves all the same may have been read in part: only
   * what is still so when everything was read once more is a violation.
   *
   * @param submitted The missions that the campaign has had acknowledged.
   */
  async checkQuiet(submitted: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    if (!(await this.readToEnd(signal))) return;
    const first = new Set(this.findings(submitted).map(nameOf));
    if (first.size === 0) return;
    if (!(await this.readToEnd(signal))) return;
    for (const finding of this.findings(submitted)) {
      const { kind, mission, what } = finding;
      if (first.has(nameOf(finding))) this.violations.add(kind, mission, what);
    }
  }

  /** Gives false, and says so, when something holds readers of committed records back. */
  private async readToEnd(signal: AbortSignal): Promise<boolean> {
    try {
      await this.reader.readToEnd(readMs, signal);
      return true;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'deadline_exceeded') throw error;
      this.violations.add('stuck', 'reader', error.message);
      return false;
    }
  }

  /** What does not fit together of all that was read. */
  findings(submitted: Iterable<string>): Finding[] {
    const { missions, reports, changelogs } = this;
    const found: Finding[] = [...submitted]
      .filter((id) => !missions.has(id))
      .map((mission) => ({ kind: 'lost', mission, what: 'submitted, and not on the ledger' }));
    const isClaimed = (lease: string) => reports.isClaimed(lease);
    const waits = (lease: string) => changelogs.waits(lease);
    found.push(...this.assignments.findings({ isClaimed, waits, missions }));
    found.push(...changelogs.findings(), ...this.steps.findings());
    this.causes = this.causes.filter(({ cause }) => !reports.has(cause));
    for (const { mission, type, cause } of this.causes) {
      const what = `${type} is caused by ${cause}, which nobody reported`;
      found.push({ kind: 'wrong', mission, what });
    }
    return found;
  }
}

const nameOf = ({ kind, mission, what }: Finding): string => `${kind} ${mission} ${what}`;
