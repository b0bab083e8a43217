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
}

/** `gave_up`: the model says that the task cannot be done, `code` and `message` why. `length`: cut off. */
export type StopReason = 'tool_use' | 'end' | 'gave_up' | 'length';

export interface ModelAnswer {
  readonly text: string;
  /** To be made in this order; empty unless `stop_reason` is `tool_use`. */
  readonly tool_calls: readonly ToolCall[];
  readonly stop_reason: StopReason;
  readonly usage: Usage;
  readonly code?: string;
  readonly message?: string;
}

export interface Model {
  readonly provider: string;
  readonly model: string;
  /** A call costs money: its intent is durable before it is made. */
  readonly paid: boolean;
  /** Whether it ends by itself, so that the role's limit of steps does not apply. */
  readonly finite: boolean;
  /** Throws a Failure (`model_failed`, `invalid_output`, …), or the reason of the signal when it is aborted. */
  call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>;
}

export const noUsage: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  cost_usd: 0,
};

/** The sum; its cost is unknown (null) when that of either part is. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
    cache_write_tokens: a.cache_write_tokens + b.cache_write_tokens,
    cost_usd: a.cost_usd === null || b.cost_usd === null ? null : a.cost_usd + b.cost_usd,
  };
}
