/** The running checker: reads all that matters as it is written, and says at once when something cannot be. */
import { MissionBook } from './mission-book.ts';
import { Reader, type Seen } from './reader.ts';
import type { Violations } from './violations.ts';
import { number, text, Wire, type Wired } from './wire.ts';

export interface Topics {
  readonly missions: string;
  readonly reports: string;
  readonly coordination: string;
  readonly steps: string;
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

export class Checker {
  readonly missions = new Map<string, MissionBook>();
  readonly reviews = new Map<string, Review>();
  /** First outcome of each tool call in the journals, by its key. */
  readonly outcomes = new Map<string, number>();
  readonly submissions = new Map<string, number>();
  deadLetters = 0;
  facts = 0;
  /** Calls whose intent is on the log more than once: a fault hid the outcome. */
  repeatedModelCalls = 0;
  repeatedToolCalls = 0;
  /** The longest that a record was held back from this reader, in milliseconds. */
  longestStall = 0;
  /** Off while a producer's clock is wrong, as it is the producer who says when. */
  trustClocks = true;
  /** When each changelog's partition was taken over last, by `topic/partition`. */
  readonly takeovers = new Map<string, number>();
  /** Which agent has claimed each running task, by <mission>/<task>. */
  readonly holders = new Map<string, string>();
  private readonly intents = new Set<string>();
  private readonly claims = new Set<string>();
  private readonly reports = new Set<string>();
  private readonly causes: { readonly mission: string; readonly type: string; readonly cause: string }[] = [];
  /** The claim that each assignment on the ledger leads to, by its event. */
  private readonly assignedFacts = new Map<string, string>();
  private readonly assignments = new Map<string, number>();
  private readonly listeners = new Set<(fact: CheckedFact) => void>();
  private readonly reportListeners = new Set<ReportListener>();
  private readonly reader: Reader;
  private readonly wire: Wire;
  private readonly topics: Topics;
  private readonly violations: Violations;

  constructor(settings: {
    readonly broker: string;
    readonly registry: string;
    readonly topics: Topics;
    readonly group: string;
    readonly violations: Violations;
  }) {
    const { broker, registry, topics, group, violations } = settings;
    this.topics = topics;
    this.violations = violations;
    this.wire = new Wire(registry);
    const all = [
      topics.missions,
      topics.reports,
      topics.coordination,
      topics.steps,
      topics.dlq,
      ...topics.tasks,
      ...topics.states,
    ];
    this.reader = new Reader(broker, all, group, (seen) => this.take(seen));
  }

  start(): void {
    this.reader.start();
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
    const { topics } = this;
    if (topics.states.includes(topic)) {
      if (key === '@epoch') this.takeovers.set(`${topic}/${seen.partition}`, seen.readAt);
      return;
    }
    if (this.trustClocks) this.longestStall = Math.max(this.longestStall, seen.readAt - seen.timestamp);
    if (topic === topics.dlq) {
      this.deadLetters += 1;
      return;
    }
    if (value === null) return;
    const event = await this.wire.decode(value);
    if (event === null) return;
    if (topic === topics.coordination) this.takeFact(event, value, seen);
    else if (topic === topics.reports) {
      for (const listener of this.reportListeners) listener(event, key, value);
      this.takeReport(event);
    } else if (topic === topics.steps) this.takeStep(event, seen);
    else if (topic === topics.missions) this.takeCommand(event);
    else if (event.event_type === 'task_assigned') count(this.assignments, event.event_id);
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
    const task = `${id}/${text(payload['task_id'])}`;
    if (type === 'task_started') this.holders.set(task, text(payload['agent']));
    else this.holders.delete(task);
    if (type === 'task_assigned') this.assignedFacts.set(fact.event_id, claimOf(fact));
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

  /** A claim is written in a transaction with the position behind its assignment, so there is one of each. */
  private takeReport(report: Wired): void {
    this.reports.add(report.event_id);
    if (report.event_type !== 'task_started') return;
    const claim = claimOf(report);
    if (this.claims.has(claim))
      this.violations.add('duplicated', report.correlation_id, `assignment ${claim} was claimed twice`);
    this.claims.add(claim);
  }

  private takeStep({ event_type: type, correlation_id: id, payload }: Wired, seen: Seen): void {
    const key = `${id}/${text(payload['task_id'])}/${number(payload['attempt'])}/${number(payload['step'])}`;
    if (type === 'model_call_started' || type === 'tool_call_started') {
      // The same record may be written twice; another lease's intent of the same step is a call that is made again.
      const intent = `${key}#${number(payload['lease'])}`;
      if (this.intents.has(intent)) return;
      this.intents.add(intent);
      if (!this.intents.has(key)) this.intents.add(key);
      else if (type === 'model_call_started') this.repeatedModelCalls += 1;
      else this.repeatedToolCalls += 1;
    } else if (type === 'tool_call_ended' && !this.outcomes.has(key)) this.outcomes.set(key, seen.timestamp);
  }

  private takeCommand({ event_type: type, correlation_id: id }: Wired): void {
    if (type === 'mission_submitted' && id !== '') count(this.submissions, id);
  }

  /**
   * What can only be said when all is quiet: each submission has a mission, each assignment in a role's
   * topic is on the ledger and there once, and each report that became a fact was made by somebody.
   *
   * @param submitted The missions that the campaign has had acknowledged.
   */
  checkQuiet(submitted: Iterable<string>): void {
    for (const id of submitted) {
      if (!this.missions.has(id)) this.violations.add('lost', id, 'submitted, and not on the ledger');
    }
    for (const [event, claim] of this.assignedFacts) {
      const found = this.assignments.get(event) ?? 0;
      const mission = missionOf(event);
      if (found > 1) this.violations.add('duplicated', mission, `assignment ${event} sent ${found} times`);
      // One that was cancelled while it waited to be sent is never sent.
      if (found === 0 && this.claims.has(claim))
        this.violations.add('wrong', mission, `assignment ${event} was claimed and never sent`);
    }
    for (const event of this.assignments.keys()) {
      if (!this.assignedFacts.has(event))
        this.violations.add('wrong', missionOf(event), `assignment ${event} is not on the ledger`);
    }
    for (const { mission, type, cause } of this.causes.splice(0)) {
      if (!this.reports.has(cause))
        this.violations.add('wrong', mission, `${type} is caused by ${cause}, which nobody reported`);
    }
  }
}

const claimOf = ({ correlation_id, payload }: Wired): string =>
  `${correlation_id}/${text(payload['task_id'])}/${number(payload['attempt'])}/${number(payload['lease'])}`;

const missionOf = (event_id: string): string => event_id.slice(0, event_id.lastIndexOf(':'));

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
