import { bodyHash, Once } from './once.ts';
import type { Finding, Violations } from './violations.ts';
import { number, text, type Wired } from './wire.ts';

/** The journals: each step once, and of each attempt that has ended all steps from the first to the one its end names. */
export class StepBook {
  /** First outcome of each tool call, by its key: when its producer wrote it. */
  readonly outcomes = new Map<string, number>();
  /** Calls whose intent is on the log under more than one lease: a fault hid the outcome. */
  repeatedModelCalls = 0;
  repeatedToolCalls = 0;
  private readonly intents = new Set<string>();
  private readonly records: Once;
  private readonly numbers = new Map<string, string>();
  private readonly violations: Violations;
  /** The hash that each step follows, by its own. */
  private readonly previous = new Map<string, string>();
  /** The hash that each end vouches for, and whose it is. */
  private readonly ends = new Map<string, { readonly mission: string; readonly journal: string }>();

  constructor(violations: Violations) {
    this.violations = violations;
    this.records = new Once(violations);
  }

  take(step: Wired, value: Buffer, timestamp: number): void {
    const { event_id, correlation_id: mission, sequence, payload } = step;
    if (!this.records.take(mission, `step ${event_id}`, value, 'outside transactions')) return;
    const attempt = `${mission}/${text(payload['task_id'])}/${number(payload['attempt'])}`;
    const lease = number(payload['lease']);
    // The marker of a resume stands outside the chain.
    if (sequence > 0) {
      this.previous.set(bodyHash(value), step.previous_hash);
      const place = `${attempt}/${lease}/${sequence}`;
      const other = this.numbers.get(place);
      if (other !== undefined)
        this.violations.add('duplicated', mission, `two steps ${place}: ${other} and ${event_id}`);
      this.numbers.set(place, event_id);
    }
    this.takeCall(step, `${attempt}/${number(payload['step'])}`, lease, timestamp);
  }

  private takeCall({ event_type: type }: Wired, key: string, lease: number, timestamp: number): void {
    if (type === 'model_call_started' || type === 'tool_call_started') {
      // Another lease's intent of the same step is a call that is made again.
      const intent = `${key}#${lease}`;
      if (this.intents.has(intent)) return;
      this.intents.add(intent);
      if (!this.intents.has(key)) this.intents.add(key);
      else if (type === 'model_call_started') this.repeatedModelCalls += 1;
      else this.repeatedToolCalls += 1;
    } else if (type === 'tool_call_ended' && !this.outcomes.has(key)) this.outcomes.set(key, timestamp);
  }

  /** A fact that ends an attempt names the last step of its journal. */
  takeFact({ correlation_id: mission, payload }: Wired): void {
    const hash = text(payload['journal_hash']);
    const journal = `${text(payload['task_id'])}/${number(payload['attempt'])}`;
    if (hash !== '') this.ends.set(hash, { mission, journal });
  }

  /** Ends whose journal is not there as a whole. Those that are, are not looked at again. */
  findings(): Finding[] {
    const found: Finding[] = [];
    for (const [end, { mission, journal }] of this.ends) {
      let hash: string | undefined = end;
      let steps = 0;
      for (; hash !== undefined && hash !== ''; steps++) hash = this.previous.get(hash);
      if (hash === '') this.ends.delete(end);
      else
        found.push({ kind: 'lost', mission, what: `a step of ${journal}: ${steps - 1} from its end back` });
    }
    return found;
  }
}
