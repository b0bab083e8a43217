import { hash } from 'node:crypto';
import type { ModelAnswer, Turn } from './models/model.ts';

/** What an agent may do, and what may be said to it and by it: asked at one place each in the loop. */
export interface Guardrails {
  /** What the role's policy says of a call. */
  policy(tool: string, argumentsJson: string): Verdict;
  /** Binds an approval to one call: SHA-256 (hex) of the tool and its arguments. */
  hashOf(tool: string, argumentsJson: string): string;
  /** Before a model call. */
  checkRequest(system: string, turns: readonly Turn[]): Violation | null;
  /** After it, tool calls included. */
  checkAnswer(answer: ModelAnswer): Violation | null;
  /** Without secrets: everything that is said to a model, recorded or reported goes through here. */
  scrub(text: string): string;
  /** Text of others as data that cannot end its own quote. */
  quote(origin: string, text: string): string;
}

export interface Verdict {
  readonly verdict: 'allow' | 'ask' | 'deny';
  readonly reason: string;
  /** How long a person may take to answer; ms, 0: for ever. */
  readonly expires_ms: number;
}

export interface Violation {
  readonly rule: string;
  readonly where: 'input' | 'output' | 'tool_arguments';
  readonly reason: string;
}

/** A safety rule has refused something. */
export class Violated extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(`${violation.rule} (${violation.where}): ${violation.reason}`);
    this.name = 'Violated';
    this.violation = violation;
  }
}

/** Allows everything, so that a test says what it is about. */
export const openGuardrails: Guardrails = {
  policy: () => ({ verdict: 'allow', reason: '', expires_ms: 0 }),
  hashOf: (tool, argumentsJson) => hash('sha256', `${tool} ${argumentsJson}`),
  checkRequest: () => null,
  checkAnswer: () => null,
  scrub: (text) => text,
  quote: (origin, text) => JSON.stringify({ origin, text }),
};
