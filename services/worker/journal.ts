/**
 * The journal of one attempt at a task: an intent before and an outcome after each model and tool call, numbered and
 * hash-chained, so that the end of the task, which names the last hash, vouches for every step.
 *
 * `append` only queues: the chain keeps the order, and an intent of a call without effect costs nothing if it is
 * lost. `flush` waits until all is durable; the agent loop does so before each effect, so that a kill hides the
 * outcome of one at the most, and before the end is reported. One append is under way at a time, so a failed one leaves no gap behind it:
 * after a failure nothing more is written, and every `flush` throws.
 */
import { unlessAborted } from '#chassis/deadline.ts';
import { Failure } from '#chassis/failures.ts';
import { type ChainTail, type Codec, chainLink, hashChain } from '#schemas/codec.ts';
import type { EventOf, PayloadOf, Priority } from '#schemas/types.gen.ts';

export const stepTypes = [
  'model_call_started',
  'model_call_ended',
  'tool_call_started',
  'tool_call_ended',
  'journal_resumed',
] as const;
export type StepType = (typeof stepTypes)[number];
export type StepEvent = EventOf<StepType>;

/** What the caller knows of a step; the rest of the payload is the task's. */
type Known = 'task_id' | 'attempt' | 'lease' | 'agent';
export type StepDraft = {
  [T in StepType]: {
    readonly event_type: T;
    readonly target: string;
    readonly payload: Omit<PayloadOf<T>, Known>;
  };
}[StepType];

/** Which attempt a journal belongs to, and who writes it. */
export interface JournalOwner {
  readonly mission_id: string;
  readonly task_id: string;
  readonly role: string;
  readonly agent: string;
  readonly attempt: number;
  readonly lease: number;
  readonly priority: Priority;
  /** Event id of the assignment. */
  readonly causation_id: string;
}

export interface StepRecord {
  readonly key: string;
  readonly value: Buffer;
}

export interface JournalSink {
  /** Resolves when all are durable, in this order. */
  append(records: readonly StepRecord[]): Promise<void>;
}

/** The key of everything about one task: task ids are unique within their mission only. */
export const taskKey = (missionId: string, taskId: string): string => `${missionId}/${taskId}`;

/** The event id of the marker that a lease writes before it reads what earlier leases left. */
export const markerId = (owner: Omit<JournalOwner, 'role' | 'agent' | 'priority' | 'causation_id'>): string =>
  `${taskKey(owner.mission_id, owner.task_id)}/${owner.attempt}/${owner.lease}/resumed`;

export class Journal {
  readonly #owner: JournalOwner;
  readonly #codec: Codec;
  readonly #sink: JournalSink;
  readonly #now: () => number;
  readonly #key: string;
  #tail: ChainTail;
  #durable: ChainTail;
  #queue: StepRecord[] = [];
  #sending: Promise<void> | null = null;
  #scheduled: NodeJS.Immediate | null = null;
  #broken: Failure | null = null;

  constructor(
    owner: JournalOwner,
    parts: { codec: Codec; sink: JournalSink; now: () => number; tail: ChainTail },
  ) {
    this.#owner = owner;
    this.#codec = parts.codec;
    this.#sink = parts.sink;
    this.#now = parts.now;
    this.#tail = parts.tail;
    this.#durable = parts.tail;
    this.#key = taskKey(owner.mission_id, owner.task_id);
  }

  /** The end of what is known to be durable. */
  get durable(): ChainTail {
    return this.#durable;
  }

  append(draft: StepDraft): void {
    const link = chainLink(this.#tail);
    const { attempt, lease } = this.#owner;
    const id = `${this.#key}/${attempt}/${lease}/${link.sequence}`;
    const bytes = this.#codec.encode(stepEvent(this.#owner, draft, { id, ...link, now: this.#now() }));
    this.#tail = hashChain(this.#tail, bytes);
    this.#queue.push({ key: this.#key, value: bytes });
    // Not at once: what the loop adds before it next waits travels in the same append.
    if (this.#sending === null) this.#scheduled ??= setImmediate(() => this.#send());
  }

  /** Waits until everything appended is durable. Throws `temporary_failure` when it cannot be. */
  async flush(signal: AbortSignal): Promise<void> {
    while (this.#queue.length > 0 || this.#sending !== null) {
      this.#send();
      if (this.#sending !== null) await unlessAborted(this.#sending, signal);
      if (this.#broken !== null) break;
    }
    if (this.#broken !== null) throw this.#broken;
  }

  #send(): void {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    if (this.#sending !== null || this.#broken !== null || this.#queue.length === 0) return;
    const records = this.#queue;
    this.#queue = [];
    const tail = this.#tail;
    this.#sending = this.#sink.append(records).then(
      () => {
        this.#sending = null;
        this.#durable = tail;
        this.#send();
      },
      (error: unknown) => {
        this.#sending = null;
        const why = error instanceof Error ? error.message : String(error);
        this.#broken = new Failure('temporary_failure', `the journal could not be written: ${why}`, {
          cause: error,
        });
      },
    );
  }
}

/**
 * The marker of a resume. It stands outside the chain (sequence 0), because it is written before the end of the
 * chain is known: what it says is that records of older leases that come after it do not count.
 */
export function resumeMarker(owner: JournalOwner, codec: Codec, now: number): StepRecord {
  const draft: StepDraft = { event_type: 'journal_resumed', target: owner.role, payload: { step: 0 } };
  const event = stepEvent(owner, draft, { id: markerId(owner), sequence: 0, previous_hash: '', now });
  return { key: taskKey(owner.mission_id, owner.task_id), value: codec.encode(event) };
}

function stepEvent(
  owner: JournalOwner,
  draft: StepDraft,
  place: { id: string; sequence: number; previous_hash: string; now: number },
): StepEvent {
  const { task_id, attempt, lease, agent } = owner;
  // The compiler loses which payload belongs to which type when they are joined again; StepDraft has kept them together.
  return {
    event_id: place.id,
    event_type: draft.event_type,
    source_agent: owner.role,
    target_agent: draft.target,
    timestamp: place.now,
    version: 1,
    correlation_id: owner.mission_id,
    causation_id: owner.causation_id,
    priority: owner.priority,
    sequence: place.sequence,
    previous_hash: place.previous_hash,
    payload: { task_id, attempt, lease, agent, ...draft.payload },
  } as StepEvent;
}
