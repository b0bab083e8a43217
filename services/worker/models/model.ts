/**
 * The one interface between the agent loop and whoever answers it. Everything that goes through it is plain data:
 * it is hashed, journaled and taken from the journal again.
 */
import type { ToolCall, Usage } from '#schemas/types.gen.ts';
import type { ToolSchema } from '#worker/tools/tool.ts';

export type Turn =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly tool_calls: readonly ToolCall[] }
  | ToolTurn;

/** What a tool call gave: `output` as the tool made it; `code` and `message` only of one that failed. */
export interface ToolTurn {
  readonly role: 'tool';
  readonly call_id: string;
  readonly tool: string;
  readonly ok: boolean;
  readonly output: string;
  readonly code: string;
  readonly message: string;
}

export interface ModelRequest {
  readonly system: string;
  readonly messages: readonly Turn[];
  readonly tools: readonly ToolSchema[];
  /** The answer has to be JSON of this schema; null: any text. */
  readonly answer: AnswerSchema | null;
  /** Null: the model's own. A model that takes none ignores it. */
  readonly temperature: number | null;
  /** The most tokens of the answer. */
  readonly maxOutputTokens: number;
  /** At the most one try may be paid for: what may have cost something is not tried again, nor asked of another. */
  readonly payOnce: boolean;
}

/** What an answer has to look like; `schema` is a JSON schema of an object. */
export interface AnswerSchema {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/**
 * `gave_up`: the model says that the task cannot be done, `code` and `message` why. `length`: cut off. `refused`: the
 * provider or the model declined to answer.
 */
export type StopReason = 'tool_use' | 'end' | 'gave_up' | 'length' | 'refused';

export interface ModelAnswer {
  readonly text: string;
  /** To be made in this order; empty unless `stop_reason` is `tool_use`. */
  readonly tool_calls: readonly ToolCall[];
  readonly stop_reason: StopReason;
  readonly usage: Usage;
  readonly code?: string;
  readonly message?: string;
  /** Who answered, where that is another than was asked: the next of the chain. */
  readonly by?: { readonly provider: string; readonly model: string };
}

/** What a model can do. A request that it cannot serve is refused with `model_incapable` before it is sent. */
export interface Capabilities {
  readonly tools: boolean;
  /** It can be asked for JSON of a schema natively; else it is told to. */
  readonly json: boolean;
  /** Tokens of request and answer together. */
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly temperature: boolean;
}

/** USD for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
}

export interface Model {
  readonly provider: string;
  readonly model: string;
  /** A call costs money: its intent is durable before it is made. */
  readonly paid: boolean;
  /** Whether it ends by itself, so that the role's limit of steps does not apply. */
  readonly finite: boolean;
  readonly capabilities: Capabilities;
  /** The dearest of those that may answer; null: not known, and then neither is a cost. */
  readonly price: Price | null;
  /**
   * `onText` is given pieces of the answer's text as they come, where the provider streams. Throws a Failure
   * (`model_failed`, `rate_limited`, …), or the reason of the signal when it is aborted.
   */
  call(request: ModelRequest, signal: AbortSignal, onText?: (piece: string) => void): Promise<ModelAnswer>;
}

export { addUsage, noUsage } from '#schemas/usage.ts';
