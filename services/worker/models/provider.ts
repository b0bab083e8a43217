/** What each provider's adapter is: one try at one call. Retries, limits and checks stand around it. */

import type { Usage } from '#schemas/types.gen.ts';
import { quoteData } from '#worker/safety/quote.ts';
import type { ModelFacts, ProviderName, Tokens } from './capabilities.ts';
import { costOf } from './capabilities.ts';
import type { ModelAnswer, ModelRequest, ToolTurn } from './model.ts';

export interface ProviderCall {
  readonly model: string;
  readonly facts: ModelFacts;
  /** Already made to fit the model. */
  readonly request: ModelRequest;
}

export interface Provider {
  readonly name: ProviderName;
  /** Throws a ProviderFailure, or the signal's reason when it is aborted. */
  ask(call: ProviderCall, signal: AbortSignal, onText?: (piece: string) => void): Promise<ModelAnswer>;
}

/** How a client is reached. */
export interface ProviderSettings {
  readonly baseUrl: string;
  readonly key: string;
  /** Milliseconds; the gate aborts a call earlier than its client would. */
  readonly timeoutMs: number;
  readonly stream: boolean;
}

export const usageOf = (tokens: Tokens, { price }: ModelFacts): Usage => ({
  ...tokens,
  cost_usd: costOf(tokens, price),
  calls: 1,
});

/** What a model reads of a tool call: its output, and of one that failed also why. */
export function resultText({ tool, ok, output, code, message }: ToolTurn): string {
  if (ok) return quoteData(`tool ${tool}`, output);
  const failed = `The call failed (${code}).\n${quoteData(`tool ${tool}, why`, message)}`;
  return output === '' ? failed : `${failed}\n${quoteData(`tool ${tool}`, output)}`;
}

/** Arguments that a model left empty mean none. Others stay as they are: the toolbox tells the model what is wrong. */
export const argumentsText = (text: string | null | undefined): string =>
  text === undefined || text === null || text.trim() === '' ? '{}' : text;

/** Arguments as an object, for APIs that take nothing else; what is no JSON object goes back under a name that says so. */
export function argumentsObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(argumentsText(text));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // As below.
  }
  return { INVALID_JSON: text };
}
