import { createHash } from 'node:crypto';
import { SagaBook } from './saga-book.ts';
import type { Violations } from './violations.ts';
import { number, type Payload, text, texts, type Wired } from './wire.ts';

interface Task {
  readonly needs: readonly string[];
  readonly partial: boolean;
  attempt: number;
  lease: number;
  /** The fact that ended it; empty: none has. */
  end: string;
}

const missionEnds = new Set(['mission_completed', 'mission_failed', 'mission_cancelled', 'mission_rejected']);
const taskEnds = new Set(['task_completed', 'task_failed', 'task_cancelled']);
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
  private sequence = 0;
  private hash = '';
  private readonly tasks = new Map<string, Task>();
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

  take(fact: Wired, bytes: Buffer, partition: number): void {
    this.facts += 1;
    this.checkChain(fact, bytes, partition);
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
    if (type === 'task_assigned') this.assigned(payload);
    this.checkOnce(type, payload);
    this.saga.take(type, payload);
    if (type === 'task_started') this.started(payload);
    if (taskEnds.has(type)) this.taskEnded(type, payload);
    if (type === 'timer_fired') this.fired(fact, payload);
    if (missionEnds.has(type)) this.checkEnd();
  }

  private checkChain(fact: Wired, bytes: Buffer, partition: number): void {
    const { sequence, previous_hash } = fact;
    if (partition !== this.partition)
      this.violations.add('wrong', this.id, `facts in partitions ${this.partition} and ${partition}`);
    if (sequence <= this.sequence)
      this.violations.add(
        'duplicated',
        this.id,
        `fact ${sequence} (${fact.event_type}) after ${this.sequence}`,
      );
    else if (sequence > this.sequence + 1)
      this.violations.add('lost', this.id, `facts ${this.sequence + 1} to ${sequence - 1}`);
    else if (previous_hash !== this.hash)
      this.violations.add('wrong', this.id, `fact ${sequence} does not follow the one before`);
    this.sequence = Math.max(this.sequence, sequence);
    // The five bytes of the registry's header are no part of what is vouched for.
    this.hash = createHash('sha256').update(bytes.subarray(5)).digest('hex');
  }

  private plan(payload: Payload): void {
    const tasks = Array.isArray(payload['tasks']) ? (payload['tasks'] as Payload[]) : [];
    this.saga.plan(tasks);
    for (const task of tasks) {
      const id = text(task['id']);
      if (this.tasks.has(id)) continue;
      const needs = texts(task['needs']);
      this.tasks.set(id, { needs, partial: task['partial'] === true, attempt: 0, lease: 0, end: '' });
    }
  }

  private taskOf(payload: Payload): Task {
    const id = text(payload['task_id']);
    let task = this.tasks.get(id);
    if (task === undefined) {
      // Compensations and tasks of reactions come into the plan by their first assignment.
      task = { needs: [], partial: false, attempt: 0, lease: 0, end: '' };
      this.tasks.set(id, task);
    }
    return task;
  }

  private assigned(payload: Payload): void {
    const task = this.taskOf(payload);
    const id = text(payload['task_id']);
    const [attempt, lease] = [number(payload['attempt']), number(payload['lease'])];
    const again = attempt < task.attempt || (attempt === task.attempt && lease <= task.lease);
    if (again) this.violations.add('duplicated', this.id, `${id}: assigned again, ${attempt}/${lease}`);
    if (task.end !== '') this.violations.add('wrong', this.id, `${id}: assigned after its end, ${task.end}`);
    for (const need of task.needs) {
      const end = this.tasks.get(need)?.end ?? '';
      if (end !== 'task_completed' && !(task.partial && end !== ''))
        this.violations.add('wrong', this.id, `${id}: assigned before ${need}`);
    }
    task.attempt = attempt;
    task.lease = lease;
  }

  private started(payload: Payload): void {
    const name = `${text(payload['task_id'])}/${number(payload['attempt'])}/${number(payload['lease'])}`;
    if (this.claims.has(name)) this.violations.add('duplicated', this.id, `${name}: started again`);
    this.claims.add(name);
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
    if (type === 'task_failed') this.failure = `${id}: ${text(payload['code'])}: ${text(payload['message'])}`;
  }

  private fired(fact: Wired, payload: Payload): void {
    const { timer, task_id, attempt, lease, due_at, review_id, aggregation } = payload;
    const name = [timer, task_id, attempt, lease, due_at, review_id, aggregation].join('/');
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
