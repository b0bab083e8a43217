/** OpenAI's chat completions, and whatever speaks them at another address. */
import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';
import type { ModelAnswer, StopReason } from './model.ts';
import { openaiBody } from './openai-request.ts';
import {
  argumentsText,
  type Provider,
  type ProviderCall,
  type ProviderSettings,
  usageOf,
} from './provider.ts';
import { type Asked, broken, ProviderFailure, refusal, timedOut, unreachable } from './provider-failure.ts';

type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;
type Completion = OpenAI.Chat.Completions.ChatCompletion;

export function openai(settings: ProviderSettings): Provider {
  const { key, baseUrl, timeoutMs, stream } = settings;
  const client = new OpenAI({
    apiKey: key,
    adminAPIKey: null,
    webhookSecret: null,
    baseURL: baseUrl,
    timeout: timeoutMs,
    // The gate retries, for all providers alike.
    maxRetries: 0,
    logLevel: 'off',
  });
  return {
    name: 'openai',
    async ask(call, signal, onText) {
      const asked = { provider: 'openai', model: call.model, key } as const;
      const body = openaiBody(call);
      try {
        const answer = newAnswer();
        if (stream) {
          const streamed = { ...body, stream: true, stream_options: { include_usage: true } } as const;
          const chunks = await client.chat.completions.create(streamed, { signal });
          for await (const chunk of chunks) take(answer, chunk, onText);
          // The SDK ends an aborted stream as if it were whole.
          signal.throwIfAborted();
        } else {
          takeCompletion(
            answer,
            await client.chat.completions.create({ ...body, stream: false }, { signal }),
          );
          if (onText && answer.text !== '') onText(answer.text);
        }
        if (answer.stop === null) throw broken(asked, 'it ended without a finish_reason');
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
  refusal: string;
  /** By index of the call. */
  readonly tools: Map<number, { id: string; name: string; json: string }>;
  stop: string | null;
  usage: OpenAI.CompletionUsage | null;
}

const newAnswer = (): Growing => ({ text: '', refusal: '', tools: new Map(), stop: null, usage: null });

function take(answer: Growing, chunk: Chunk, onText: ((piece: string) => void) | undefined): void {
  answer.usage = chunk.usage ?? answer.usage;
  const choice = chunk.choices[0];
  if (choice === undefined) return;
  const { content, refusal: refused, tool_calls: calls } = choice.delta;
  if (typeof content === 'string' && content !== '') {
    answer.text += content;
    onText?.(content);
  }
  answer.refusal += refused ?? '';
  for (const { index, id, function: called } of calls ?? []) {
    const tool = answer.tools.get(index) ?? { id: '', name: '', json: '' };
    tool.id ||= id ?? '';
    tool.name ||= called?.name ?? '';
    tool.json += called?.arguments ?? '';
    answer.tools.set(index, tool);
  }
  answer.stop = choice.finish_reason ?? answer.stop;
}

function takeCompletion(answer: Growing, completion: Completion): void {
  answer.usage = completion.usage ?? null;
  const choice = completion.choices[0];
  if (choice === undefined) return;
  answer.text = choice.message.content ?? '';
  answer.refusal = choice.message.refusal ?? '';
  for (const [index, call] of (choice.message.tool_calls ?? []).entries()) {
    if (call.type !== 'function') continue;
    answer.tools.set(index, { id: call.id, name: call.function.name, json: call.function.arguments });
  }
  answer.stop = choice.finish_reason;
}

function finished(answer: Growing, { facts, model }: ProviderCall): ModelAnswer {
  const stop_reason = stopReason(answer);
  const calls = [...answer.tools].sort(([a], [b]) => a - b).map(([, tool]) => tool);
  const shared = {
    text: answer.text,
    tool_calls:
      stop_reason === 'tool_use'
        ? calls.map(({ id, name, json }) => ({ id, tool: name, arguments: argumentsText(json) }))
        : [],
    stop_reason,
    usage: usageIn(answer.usage, facts),
  };
  if (stop_reason !== 'refused') return shared;
  const why = answer.refusal === '' ? 'its content filter stopped it' : answer.refusal;
  return { ...shared, code: 'model_refused', message: `openai/${model} declined to answer: ${why}` };
}

/** The prompt's tokens include those read from the cache and those written to it. */
function usageIn(usage: OpenAI.CompletionUsage | null, facts: ProviderCall['facts']) {
  const cache_read_tokens = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  const cache_write_tokens = usage?.prompt_tokens_details?.cache_write_tokens ?? 0;
  const tokens = {
    input_tokens: Math.max(0, (usage?.prompt_tokens ?? 0) - cache_read_tokens - cache_write_tokens),
    output_tokens: usage?.completion_tokens ?? 0,
    cache_read_tokens,
    cache_write_tokens,
  };
  // Without counts nobody knows the cost, whatever the price.
  return usage === null ? { ...tokens, cost_usd: null, calls: 1 } : usageOf(tokens, facts);
}

function stopReason({ stop, refusal: refused, tools }: Growing): StopReason {
  if (refused !== '' || stop === 'content_filter') return 'refused';
  if (stop === 'length') return 'length';
  // Some servers say `stop` although there are calls.
  return tools.size > 0 ? 'tool_use' : 'end';
}

function failureOf(error: unknown, asked: Asked): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  if (error instanceof APIConnectionTimeoutError) return timedOut(asked);
  if (error instanceof APIConnectionError) return unreachable(asked, error);
  if (error instanceof APIError) {
    const { status, requestID, message, code, type, headers } = error;
    return refusal(asked, {
      status: status ?? 0,
      requestId: requestID ?? null,
      // The SDK puts the status first.
      said: message.replace(/^\d{3} /, ''),
      code: code ?? type ?? '',
      headers: headers ?? null,
    });
  }
  return broken(asked, error);
}
