import { bodyHash } from './once.ts';
import { SagaBook } from './saga-book.ts';
import type { Violations } from './violations.ts';
import { claimOf, number, type Payload, text, texts, type Wired } from './wire.ts';

export interface Task {
  readonly needs: readonly string[];
  readonly partial: boolean;
  attempt: number;
  lease: number;
  /** As the changelog says it; empty: the facts that this book knows do not say. */
  status: '' | 'pending' | 'assigned' | 'running' | 'completed' | 'failed' | 'cancelled';
  /** The fact that ended it; empty: none has. */
  end: string;
}

const missionEnds = new Set(['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected']);
const taskEnds: Readonly<Record<string, Task['status']>> = {
  task_completed: 'completed',
  task_failed: 'failed',
  task_cancelled: 'cancelled',
};
/** After these a task may wait for something that this book does not follow. */
const unsettling = new Set([
  'task_attempt_failed',
  'task_released',
  'agent_handoff',
  'dependency_required',
  'review_requested',
  'review_completed',
  'pause_requested',
  'safety_violation',
  'timer_fired',
  'undoing_started',
]);
/** Each is said once of what it names. */
const onceOf: Readonly<Record<string, readonly string[]>> = {
  compensation_completed: ['task_id', 'compensates'],
  task_requested: ['subscription', 'trigger'],
  aggregation_started: ['aggregation', 'trigger'],
  aggregation_completed: ['aggregation', 'events'],
  aggregation_timed_out: ['aggregation', 'events'],
};

/** What the ledger says of one mission, folded by rules of our own. */
export class MissionBook {
  readonly id: string;
  readonly partition: number;
  private readonly violations: Violations;
  /** Of each fact, by its number less one; the first, where a number came twice. */
  private readonly hashes: string[] = [];
  readonly tasks = new Map<string, Task>();
  /** The inputs that facts have followed from, and the newest. */
  private readonly inputs = new Set<string>();
  private input = '';
  /** The input that the last timer was. */
  private timer: string | null = null;
  private readonly timers = new Set<string>();
  private readonly claims = new Set<string>();
  private readonly said = new Set<string>();
  private readonly saga = new SagaBook();
  end = '';
  /** What the ledger says of the last task that failed for good. */
  failure = '';
  facts = 0;

  constructor(id: string, partition: number, violations: Violations) {
    this.id = id;
    this.partition = partition;
    this.violations = violations;
  }

  /** Completed tasks, whose steps must have left their marks outside. */
  get completed(): readonly { readonly task: string; readonly attempt: number }[] {
    return [...this.tasks].flatMap(([task, { end, attempt }]) =>
      end === 'task_completed' ? [{ task, attempt }] : [],
    );
  }

  /** The number of its newest fact. */
  get sequence(): number {
    return this.hashes.length;
  }

  /** Of the fact of this number; empty: it has none. */
  hashAt(sequence: number): string {
    return this.hashes[sequence - 1] ?? '';
  }

  /** Whether this very lease was given, and nobody has begun it, ended it or taken it back. */
  isAssigned(payload: Payload): boolean {
    const task = this.tasks.get(text(payload['task_id']));
    const [attempt, lease] = [number(payload['attempt']), number(payload['lease'])];
    return this.end === '' && task?.status === 'assigned' && task.attempt === attempt && task.lease === lease;
  }

  /** Whether an agent has begun this very lease. */
  isStarted(claim: string): boolean {
    return this.claims.has(claim);
  }

  take(fact: Wired, bytes: Buffer, partition: number): void {
    this.facts += 1;
    if (!this.checkChain(fact, bytes, partition)) return;
    this.checkInput(fact);
    const { event_type: type, payload } = fact;
    if (this.end !== '') {
      const kind = missionEnds.has(type) || type === 'mission_accepted' ? 'duplicated' : 'wrong';
      this.violations.add(kind, this.id, `${type} (${fact.sequence}) after its end, ${this.end}`);
    }
    if (type === 'mission_accepted' && fact.sequence !== 1)
      this.violations.add('duplicated', this.id, 'accepted again');
    if (missionEnds.has(type)) this.end = type;
    if (type === 'plan_created') this.plan(payload);
    if (type === 'task_requested') this.plan({ tasks: [payload['task']] });
    if (unsettling.has(type)) this.unsettle(payload);
    if (type === 'task_assigned') this.assigned(fact);
    this.checkOnce(type, payload);
    this.saga.take(type, payload);
    if (type === 'task_started') this.started(fact);
    if (taskEnds[type] !== undefined) this.taskEnded(type, payload);
    if (type === 'timer_fired') this.fired(fact, payload);
    if (missionEnds.has(type)) this.checkEnd();
  }

  /** Gives false for a fact that was there before, byte for byte: what it says was taken. */
  private checkChain(fact: Wired, bytes: Buffer, partition: number): boolean {
    const { sequence, previous_hash, event_type } = fact;
    const hash = bodyHash(bytes);
    if (partition !== this.partition)
      this.violations.add('wrong', this.id, `facts in partitions ${this.partition} and ${partition}`);
    if (sequence <= this.sequence) {
      const same = this.hashAt(sequence) === hash;
      const what = same ? `fact ${sequence} (${event_type}) twice` : `a fork: two facts ${sequence}`;
      this.violations.add('duplicated', this.id, `${what}, after ${this.sequence}`);
      return !same;
    }
    if (sequence > this.sequence + 1) {
      this.violations.add('lost', this.id, `facts ${this.sequence + 1} to ${sequence - 1}`);
      while (this.sequence < sequence - 1) this.hashes.push('');
    } else if (previous_hash !== this.hashAt(this.sequence))
      this.violations.add('wrong', this.id, `fact ${sequence} does not follow the one before`);
    this.hashes.push(hash);
    return true;
  }

  /** What follows from one input is written together. */
  private checkInput({ causation_id: input, sequence }: Wired): void {
    if (input === this.input) return;
    if (input !== '' && this.inputs.has(input))
      this.violations.add('duplicated', this.id, `fact ${sequence}: ${input} was decided before`);
    this.inputs.add(input);
    this.input = input;
  }

  private plan(payload: Payload): void {
    const tasks = Array.isArray(payload['tasks']) ? (payload['tasks'] as Payload[]) : [];
    this.saga.plan(tasks);
    for (const task of tasks) {
      const id = text(task['id']);
      if (this.tasks.has(id)) continue;
      const needs = texts(task['needs']);
      const partial = task['partial'] === true;
      this.tasks.set(id, { needs, partial, attempt: 0, lease: 0, status: 'pending', end: '' });
    }
  }

  private taskOf(payload: Payload): Task {
    const id = text(payload['task_id']);
    let task = this.tasks.get(id);
    if (task === undefined) {
      // Compensations and tasks of reactions come into the plan by their first assignment.
      task = { needs: [], partial: false, attempt: 0, lease: 0, status: 'pending', end: '' };
      this.tasks.set(id, task);
    }
    return task;
  }

  private assigned(fact: Wired): void {
    const { payload, causation_id } = fact;
    const task = this.taskOf(payload);
    const id = text(payload['task_id']);
    const [attempt, lease] = [number(payload['attempt']), number(payload['lease'])];
    const same = attempt === task.attempt && lease === task.lease;
    // A lease that nobody begins may be sent again: the timer that says so is the first fact of this input.
    const sentAgain = same && causation_id === this.timer && !this.isStarted(claimOf(fact));
    const again = attempt < task.attempt || (attempt === task.attempt && lease <= task.lease);
    if (again && !sentAgain)
      this.violations.add('duplicated', this.id, `${id}: assigned again, ${attempt}/${lease}`);
    if (task.end !== '') this.violations.add('wrong', this.id, `${id}: assigned after its end, ${task.end}`);
    for (const need of task.needs) {
      const end = this.tasks.get(need)?.end ?? '';
      if (end !== 'task_completed' && !(task.partial && end !== ''))
        this.violations.add('wrong', this.id, `${id}: assigned before ${need}`);
    }
    task.attempt = attempt;
    task.lease = lease;
    // A mission within this one is claimed by nobody: it runs from then on.
    task.status = payload['kind'] === 'mission' ? 'running' : 'assigned';
  }

  private unsettle(payload: Payload): void {
    const task = this.tasks.get(text(payload['task_id']));
    for (const each of task === undefined ? this.tasks.values() : [task])
      if (each.end === '') each.status = '';
  }

  private started(fact: Wired): void {
    const name = claimOf(fact);
    if (this.claims.has(name)) this.violations.add('duplicated', this.id, `${name}: started again`);
    this.claims.add(name);
    this.taskOf(fact.payload).status = 'running';
  }

  private taskEnded(type: string, payload: Payload): void {
    const task = this.taskOf(payload);
    const id = text(payload['task_id']);
    if (task.end !== '') this.violations.add('duplicated', this.id, `${id}: ${type} after ${task.end}`);
    if (type === 'task_completed' || type === 'task_failed') {
      const [attempt, lease] = [number(payload['attempt']), number(payload['lease'])];
      if (attempt !== task.attempt || lease !== task.lease) {
        const expected = `${task.attempt}/${task.lease}`;
        this.violations.add(
          'wrong',
          this.id,
          `${id}: ${type} of ${attempt}/${lease}, expected of ${expected}`,
        );
      }
    }
    task.end = type;
    task.status = taskEnds[type] ?? '';
    if (type === 'task_failed') this.failure = `${id}: ${text(payload['code'])}: ${text(payload['message'])}`;
  }

  private fired(fact: Wired, payload: Payload): void {
    const { timer, task_id, attempt, lease, due_at, review_id, aggregation } = payload;
    const name = [timer, task_id, attempt, lease, due_at, review_id, aggregation].join('/');
    this.timer = fact.causation_id;
    if (this.timers.has(name)) this.violations.add('duplicated', this.id, `timer ${name} fired twice`);
    this.timers.add(name);
    if (fact.timestamp < number(due_at)) this.violations.add('wrong', this.id, `timer ${name} fired early`);
    const task = this.tasks.get(text(task_id));
    if (task !== undefined && task.end !== '')
      this.violations.add('wrong', this.id, `timer ${name} fired after the end of its task`);
  }

  private checkOnce(type: string, payload: Payload): void {
    const fields = onceOf[type];
    if (fields === undefined) return;
    const name = [type, ...fields.map((field) => JSON.stringify(payload[field]))].join(' ');
    if (this.said.has(name)) this.violations.add('duplicated', this.id, name);
    this.said.add(name);
  }

  private checkEnd(): void {
    if (this.end === 'mission_rejected') return;
    for (const what of this.saga.wrong()) this.violations.add('wrong', this.id, what);
    const open = [...this.tasks].filter(([, { end }]) => end === '').map(([id]) => id);
    if (open.length > 0 && this.end === 'mission_completed')
      this.violations.add('lost', this.id, `completed without an end of ${open.join(', ')}`);
  }
}
