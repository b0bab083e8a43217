import { evolve } from './evolve.ts';
import type { FactDraft, FactEnvelope } from './facts.ts';
import type { Decision } from './input.ts';
import type { WrittenPlan } from './rules-0.ts';
import type { MissionState } from './state.ts';

/** One decision in the making: each fact is folded in before the next is thought of, so the two cannot disagree. */
export class Turn {
  readonly facts: FactDraft[] = [];
  readonly now: number;
  /** Of a mission of rules 0 that is decided again: the plan that was made then. */
  readonly written: WrittenPlan | null;
  #state: MissionState;
  readonly #envelope: FactEnvelope;

  constructor(state: MissionState, now: number, written: WrittenPlan | null = null) {
    this.#state = state;
    this.now = now;
    this.written = written;
    this.#envelope = { correlation_id: state.mission_id, priority: state.priority, timestamp: now };
  }

  /** The turn that a mission begins with. */
  static begin(fact: FactDraft, envelope: FactEnvelope, written: WrittenPlan | null = null): Turn {
    const turn = new Turn(evolve(null, fact, envelope), envelope.timestamp, written);
    turn.facts.push(fact);
    return turn;
  }

  get state(): MissionState {
    return this.#state;
  }

  add(fact: FactDraft): void {
    this.facts.push(fact);
    this.#state = evolve(this.#state, fact, this.#envelope);
  }

  decision(): Decision {
    return { kind: 'facts', facts: this.facts, state: this.#state };
  }
}
