/** What led to a fact, as far as the ledger says. */
import type { FactEvent } from '#orchestrator/facts.ts';

/**
 * How one fact led to another: the orchestrator decided it with the other (`decided`), somebody reported it of a task
 * (`reported`), it reacts to the other (`reacts`), a person answered (`answers`), a time came (`timer`), or it is of a
 * mission that the other began, or ended for (`mission`).
 */
export type Link = 'decided' | 'reported' | 'reacts' | 'answers' | 'timer' | 'mission';

export type Cause =
  | { readonly kind: 'fact'; readonly event_id: string; readonly link: Link }
  /** Nothing on the ledger: a person's command, a time that came, or a report of which nothing more is known. */
  | { readonly kind: 'person' | 'report' | 'time'; readonly input: string };

/** The causes of facts of some missions; each mission's facts come in their order. */
export class Causes {
  /** The first fact of each input: what follows of it has the same causation. */
  readonly #firsts = new Map<string, string>();
  readonly #known = new Map<string, FactEvent>();
  /** Newest fact by what it is about. */
  readonly #newest = new Map<string, string>();

  /** The facts that may be causes, from wherever they are: before any is asked about. */
  constructor(facts: readonly FactEvent[]) {
    for (const fact of facts) this.#known.set(fact.event_id, fact);
  }

  /** Of the next fact of its mission. */
  of(fact: FactEvent): Cause {
    const cause = this.#causeOf(fact);
    for (const key of subjectsOf(fact)) this.#newest.set(`${fact.correlation_id} ${key}`, fact.event_id);
    return cause;
  }

  #causeOf(fact: FactEvent): Cause {
    const { event_id, causation_id, correlation_id } = fact;
    const input = `${correlation_id} ${causation_id}`;
    const first = this.#firsts.get(input);
    if (first !== undefined) return { kind: 'fact', event_id: first, link: 'decided' };
    this.#firsts.set(input, event_id);

    const trigger = triggerOf(fact);
    if (trigger !== '') return { kind: 'fact', event_id: trigger, link: 'reacts' };
    const about = this.#about(fact);
    if (about !== null) return about;
    const behind = this.#behind(causation_id);
    if (behind !== null) {
      const link = behind.correlation_id === correlation_id ? 'reacts' : 'mission';
      return { kind: 'fact', event_id: behind.event_id, link };
    }
    if (fact.event_type === 'timer_fired') return { kind: 'time', input: causation_id };
    return { kind: isOfPerson(fact) ? 'person' : 'report', input: causation_id };
  }

  /** What its own content says. */
  #about(fact: FactEvent): Cause | null {
    const found = (key: string, link: Link): Cause | null => {
      const event_id = this.#newest.get(`${fact.correlation_id} ${key}`);
      return event_id === undefined ? null : { kind: 'fact', event_id, link };
    };
    switch (fact.event_type) {
      case 'review_completed':
        return found(`review ${fact.payload.review_id}`, 'answers');
      case 'timer_fired': {
        const { timer, task_id, attempt, lease, review_id, aggregation } = fact.payload;
        const of: Readonly<Record<string, string>> = {
          review: `review ${review_id}`,
          aggregation: `aggregation ${aggregation}`,
          deadline: 'mission',
          retry: `failed ${task_id}`,
        };
        return found(of[timer] ?? `assigned ${task_id}/${attempt}/${lease}`, 'timer');
      }
      default: {
        // The end of a mission within comes as a report, too, and the fact behind it says more.
        if (this.#behind(fact.causation_id) !== null) return null;
        const lease = leaseOf(fact);
        return lease === null ? null : found(`assigned ${lease}`, 'reported');
      }
    }
  }

  /** Ids of what follows from a fact begin with the fact's: `m:3/mission`, `m:7/report`, `m:9/join/…`. */
  #behind(id: string): FactEvent | null {
    for (let end = id.length; end > 0; end = id.lastIndexOf('/', end - 1)) {
      const fact = this.#known.get(id.slice(0, end));
      if (fact !== undefined) return fact;
    }
    return null;
  }
}

/** What later facts may refer to it by. */
function subjectsOf(fact: FactEvent): readonly string[] {
  switch (fact.event_type) {
    case 'mission_accepted':
      return ['mission'];
    case 'task_assigned':
      return [`assigned ${leaseOf(fact) ?? ''}`];
    case 'task_attempt_failed':
      return [`failed ${fact.payload.task_id}`];
    case 'review_requested':
      return [`review ${fact.payload.review_id}`];
    case 'aggregation_started':
      return [`aggregation ${fact.payload.aggregation}`];
    default:
      return [];
  }
}

/** The event that a fact reacts to, as it says itself; empty: it says none. */
function triggerOf(fact: FactEvent): string {
  switch (fact.event_type) {
    case 'event_emitted':
    case 'task_requested':
    case 'pause_requested':
    case 'error_raised':
    case 'aggregation_started':
      return fact.payload.trigger;
    case 'mission_accepted':
      return fact.payload.tasks.find(({ caused_by }) => caused_by !== '')?.caused_by ?? '';
    default:
      return '';
  }
}

/** `task/attempt/lease` of a fact about one; null: it is about none. */
function leaseOf({ payload }: FactEvent): string | null {
  if (!('lease' in payload) || !('task_id' in payload) || !('attempt' in payload)) return null;
  const { task_id, attempt, lease } = payload;
  return task_id === '' ? null : `${task_id}/${attempt}/${lease}`;
}

function isOfPerson(fact: FactEvent): boolean {
  if (fact.event_type === 'event_emitted')
    return fact.payload.task_id === '' && fact.payload.subscription === '';
  return /^(?:mission_accepted|mission_rejected|mission_cancelled|review_completed)$/.test(fact.event_type);
}
