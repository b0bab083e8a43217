/**
 * Claude. The answer is read from the raw events and not from the SDK's accumulated message: so the arguments of a tool
 * call are the text that the model wrote, and malformed ones reach the toolbox instead of ending the stream.
 */
import Anthropic, { APIConnectionError, APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk';
import { anthropicBody } from './anthropic-request.ts';
import type { ModelAnswer, StopReason } from './model.ts';
import {
  argumentsText,
  type Provider,
  type ProviderCall,
  type ProviderSettings,
  usageOf,
} from './provider.ts';
import { type Asked, broken, ProviderFailure, refusal, timedOut, unreachable } from './provider-failure.ts';

export function anthropic(settings: ProviderSettings): Provider {
  const { key, baseUrl, timeoutMs, stream } = settings;
  const client = new Anthropic({
    apiKey: key,
    baseURL: baseUrl,
    webhookKey: null,
    timeout: timeoutMs,
    // The gate retries, for all providers alike.
    maxRetries: 0,
    logLevel: 'off',
    // The worker has a span for each call of any model.
    openTelemetry: false,
  });
  return {
    name: 'anthropic',
    async ask(call, signal, onText) {
      const asked = { provider: 'anthropic', model: call.model, key } as const;
      const body = anthropicBody(call);
      try {
        const answer = newAnswer();
        if (stream) {
          const events = await client.messages.create({ ...body, stream: true }, { signal });
          for await (const event of events) take(answer, event, onText);
          // The SDK ends an aborted stream as if it were whole.
          signal.throwIfAborted();
          if (!answer.ended) throw broken(asked, 'it ended before its last event');
        } else {
          const message = await client.messages.create({ ...body, stream: false }, { signal });
          takeMessage(answer, message);
          if (onText && answer.text !== '') onText(answer.text);
        }
        return finished(answer, call);
      } catch (error) {
        signal.throwIfAborted();
        throw failureOf(error, asked);
      }
    },
  };
}

interface Growing {
  text: string;
  /** By index of the block. */
  readonly tools: Map<number, { id: string; name: string; json: string; input: unknown }>;
  stop: Anthropic.StopReason | null;
  refusal: string;
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  ended: boolean;
}

const newAnswer = (): Growing => ({
  text: '',
  tools: new Map(),
  stop: null,
  refusal: '',
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  ended: false,
});

function take(
  answer: Growing,
  event: Anthropic.RawMessageStreamEvent,
  onText: ((piece: string) => void) | undefined,
): void {
  switch (event.type) {
    case 'message_start':
      takeUsage(answer, event.message.usage);
      break;
    case 'content_block_start':
      takeBlock(answer, event.index, event.content_block);
      break;
    case 'content_block_delta':
      if (event.delta.type === 'text_delta') {
        answer.text += event.delta.text;
        if (event.delta.text !== '') onText?.(event.delta.text);
      } else if (event.delta.type === 'input_json_delta') {
        const tool = answer.tools.get(event.index);
        if (tool !== undefined) tool.json += event.delta.partial_json;
      }
      break;
    case 'message_delta':
      answer.stop = event.delta.stop_reason;
      answer.refusal = event.delta.stop_details?.explanation ?? '';
      takeUsage(answer, event.usage);
      break;
    case 'message_stop':
      answer.ended = true;
      break;
    case 'content_block_stop':
      break;
    default:
      // Events of later versions change nothing here.
      event satisfies never;
  }
}

function takeMessage(answer: Growing, message: Anthropic.Message): void {
  for (const [index, block] of message.content.entries()) takeBlock(answer, index, block);
  answer.stop = message.stop_reason;
  answer.refusal = message.stop_details?.explanation ?? '';
  takeUsage(answer, message.usage);
}

function takeBlock(answer: Growing, index: number, block: Anthropic.ContentBlock): void {
  // Blocks of thought are left out, all of them: a conversation has no place for them (prices.json says more).
  if (block.type === 'text') answer.text += block.text;
  if (block.type === 'tool_use') {
    answer.tools.set(index, { id: block.id, name: block.name, json: '', input: block.input });
  }
}

/** The counts are totals of the whole message; later ones replace earlier ones. */
function takeUsage(answer: Growing, usage: Anthropic.MessageDeltaUsage | Anthropic.Usage): void {
  answer.input = usage.input_tokens ?? answer.input;
  answer.output = usage.output_tokens;
  answer.cacheRead = usage.cache_read_input_tokens ?? answer.cacheRead;
  answer.cacheWrite = usage.cache_creation_input_tokens ?? answer.cacheWrite;
}

function finished(answer: Growing, { facts, model }: ProviderCall): ModelAnswer {
  const tokens = {
    input_tokens: answer.input,
    output_tokens: answer.output,
    cache_read_tokens: answer.cacheRead,
    cache_write_tokens: answer.cacheWrite,
  };
  const stop_reason = stopReason(answer.stop);
  const calls = [...answer.tools].sort(([a], [b]) => a - b).map(([, tool]) => tool);
  const shared = {
    text: answer.text,
    tool_calls:
      stop_reason === 'tool_use'
        ? calls.map(({ id, name, json, input }) => ({
            id,
            tool: name,
            // A stream gives the text; a whole answer, and a call without arguments, only the parsed input.
            arguments: argumentsText(json === '' ? JSON.stringify(input ?? {}) : json),
          }))
        : [],
    stop_reason,
    usage: usageOf(tokens, facts),
  };
  if (stop_reason !== 'refused') return shared;
  const why = answer.refusal === '' ? 'no reason given' : answer.refusal;
  return { ...shared, code: 'model_refused', message: `anthropic/${model} declined to answer: ${why}` };
}

function stopReason(found: Anthropic.StopReason | null): StopReason {
  switch (found) {
    case 'tool_use':
      return 'tool_use';
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'refusal':
      return 'refused';
    default:
      return 'end';
  }
}

function failureOf(error: unknown, asked: Asked): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  if (error instanceof APIConnectionTimeoutError) return timedOut(asked);
  if (error instanceof APIConnectionError) return unreachable(asked, error);
  if (error instanceof APIError) {
    const { status, requestID, apiMessage, message, type, headers } = error;
    return refusal(asked, {
      status: status ?? 0,
      requestId: requestID ?? null,
      said: apiMessage ?? message,
      code: type ?? '',
      headers: headers ?? null,
    });
  }
  return broken(asked, error);
}
