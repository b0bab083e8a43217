/** Ollama, on this machine or another. It costs nothing, and needs no key. */
import { type ChatResponse, Ollama } from 'ollama';
import type { ModelAnswer, ModelRequest } from './model.ts';
import { ollamaBody } from './ollama-request.ts';
import {
  argumentsText,
  type Provider,
  type ProviderCall,
  type ProviderSettings,
  usageOf,
} from './provider.ts';
import { type Asked, broken, ProviderFailure, refusal, timedOut, unreachable } from './provider-failure.ts';

export function ollama({ baseUrl, stream }: ProviderSettings): Provider {
  return {
    name: 'ollama',
    async ask(call, signal, onText) {
      const asked = { provider: 'ollama', model: call.model, key: '' } as const;
      // A client for each call: its fetch is the only way to abort one that does not stream.
      const client = new Ollama({ host: baseUrl, fetch: abortable(asked, signal) });
      const body = ollamaBody(call);
      try {
        const answer: Growing = { text: '', calls: [], last: null };
        if (stream) {
          for await (const part of await client.chat({ ...body, stream: true })) take(answer, part, onText);
        } else {
          take(answer, await client.chat({ ...body, stream: false }), onText);
        }
        if (answer.last === null) throw broken(asked, 'it ended before it was done');
        return finished(answer, answer.last, call);
      } catch (error) {
        signal.throwIfAborted();
        throw failureOf(error, asked);
      }
    },
  };
}

interface Growing {
  text: string;
  readonly calls: { name: string; input: unknown }[];
  last: ChatResponse | null;
}

function take(answer: Growing, part: ChatResponse, onText: ((piece: string) => void) | undefined): void {
  const { content, tool_calls: calls } = part.message;
  if (content !== '') {
    answer.text += content;
    onText?.(content);
  }
  for (const call of calls ?? [])
    answer.calls.push({ name: call.function.name, input: call.function.arguments });
  if (part.done) answer.last = part;
}

function finished(
  { text, calls }: Growing,
  last: ChatResponse,
  { facts, request }: ProviderCall,
): ModelAnswer {
  const cutOff = last.done_reason === 'length';
  const stop_reason = cutOff ? 'length' : calls.length > 0 ? 'tool_use' : 'end';
  const tokens = {
    // Left out when nothing new had to be read.
    input_tokens: last.prompt_eval_count ?? 0,
    output_tokens: last.eval_count ?? 0,
    cache_read_tokens: 0,
    cache_write_tokens: 0,
  };
  return {
    text,
    tool_calls:
      stop_reason === 'tool_use'
        ? calls.map(({ name, input }, index) => ({
            id: callId(request, index),
            tool: name,
            arguments: argumentsText(typeof input === 'string' ? input : JSON.stringify(input ?? {})),
          }))
        : [],
    stop_reason,
    usage: usageOf(tokens, facts),
  };
}

/** Ollama gives calls no ids. These are unique in the conversation, and the same when the same answer is given again. */
function callId({ messages }: ModelRequest, index: number): string {
  const round = messages.filter(({ role }) => role === 'assistant').length + 1;
  return `call_${round}_${index + 1}`;
}

/** A fetch that ends with the signal, and says what the client would leave out: status, and headers of a refusal. */
function abortable(asked: Asked, signal: AbortSignal): typeof fetch {
  return async (url, init) => {
    const both = init?.signal ? AbortSignal.any([init.signal, signal]) : signal;
    let response: Response;
    try {
      response = await fetch(url, { ...init, signal: both });
    } catch (error) {
      signal.throwIfAborted();
      const timed = error instanceof Error && /timeout/i.test(String(error.cause));
      throw timed ? timedOut(asked) : unreachable(asked, error);
    }
    if (response.ok) return response;
    const { status, headers } = response;
    const said = messageIn(await response.text());
    throw refusal(asked, { status, requestId: headers.get('x-request-id'), said, code: '', headers });
  };
}

function messageIn(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && 'error' in value && typeof value.error === 'string')
      return value.error;
  } catch {
    // Not JSON: as it is.
  }
  return body;
}

/** The client's words for a stream that was cut; any other plain error in a stream is the server's own. */
const CUT = /Did not receive done|terminated|aborted|JSON|socket|other side closed/i;

function failureOf(error: unknown, asked: Asked): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  if (!(error instanceof Error) || error.name !== 'Error' || CUT.test(error.message))
    return broken(asked, error);
  return refusal(asked, { status: 0, requestId: null, said: error.message, code: '', headers: null });
}
