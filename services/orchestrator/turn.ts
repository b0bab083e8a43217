import { evolve } from './evolve.ts';
import type { FactDraft, FactEnvelope } from './facts.ts';
import type { Decision } from './input.ts';
import type { WrittenPlan } from './rules-0.ts';
import type { MissionState } from './state.ts';
import { newWords, type Words } from './texts.ts';

/** What a decision is made with, besides the state and the input. */
export interface Deciding {
  /** Epoch ms. */
  readonly now: number;
  /** For deciding again what is on the ledger of a mission of rules 0 (`rules-0.ts`). */
  readonly written?: WrittenPlan | null;
  /** For deciding again: the texts for people as they were worded then (`texts.ts`). */
  readonly words?: Words;
}

/** One decision in the making: each fact is folded in before the next is thought of, so the two cannot disagree. */
export class Turn {
  readonly facts: FactDraft[] = [];
  readonly now: number;
  /** Of a mission of rules 0 that is decided again: the plan that was made then. */
  readonly written: WrittenPlan | null;
  #state: MissionState;
  readonly #words: Words;
  readonly #envelope: FactEnvelope;

  constructor(state: MissionState, { now, written = null, words = newWords }: Deciding) {
    this.#state = state;
    this.now = now;
    this.written = written;
    this.#words = words;
    this.#envelope = { correlation_id: state.mission_id, priority: state.priority, timestamp: now };
  }

  /** The turn that a mission begins with. */
  static begin(fact: FactDraft, envelope: FactEnvelope, deciding: Deciding): Turn {
    const turn = new Turn(evolve(null, fact, envelope), deciding);
    turn.facts.push(fact);
    return turn;
  }

  get state(): MissionState {
    return this.#state;
  }

  add(made: FactDraft): void {
    const fact = this.#words(made, this.facts.length);
    this.facts.push(fact);
    this.#state = evolve(this.#state, fact, this.#envelope);
  }

  decision(): Decision {
    return { kind: 'facts', facts: this.facts, state: this.#state };
  }
}
