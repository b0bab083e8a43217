/**
 * OpenAI's POST /v1/chat/completions, written from the types of openai 7. Prompts are not cached here:
 * `cached_tokens` is 0 unless the answer says otherwise.
 */
import {
  type Dialect,
  type DialectOptions,
  type FakeRequest,
  type FakeTurn,
  type Incoming,
  type Read,
  Refusal,
} from './dialect.ts';
import type { FakeModel } from './models.ts';
import { chunks, completion } from './openai-answer.ts';
import { errorOf, invalid, wrongOf } from './openai-refusal.ts';
import { checkCompletion } from './openai-rules.ts';
import { type CompletionsBody, completionsBody, textOf } from './openai-schema.ts';
import { isRecord, shaped } from './shape.ts';
import { idOf, tokensOf } from './tokens.ts';

export function openaiDialect({ key, models }: DialectOptions): Dialect {
  return {
    provider: 'openai',
    maxBodyBytes: 64 * 1024 * 1024,
    streamType: 'text/event-stream; charset=utf-8',
    read: (incoming) => read(incoming, key, models),
    refusal: (reason, model) => {
      if (reason === 'model_not_found') return unknownModel(model);
      if (reason === 'overloaded')
        return new Refusal(503, 'The server is currently overloaded. Please try again later.', {
          type: 'server_error',
        });
      const most = models.get(model)?.context ?? 128_000;
      return tooLong(most, most + 1);
    },
    errorBody: (refusal) => JSON.stringify({ error: errorOf(refusal) }),
    headers: (requestId) => ({
      'x-request-id': requestId,
      'openai-version': '2020-10-01',
      'openai-processing-ms': '12',
      'openai-organization': 'fake',
      'x-ratelimit-limit-requests': '5000',
      'x-ratelimit-remaining-requests': '4999',
    }),
    plain: (request, answer) => JSON.stringify(completion(request, answer)),
    events: chunks,
    errorEvent: (message) =>
      `data: ${JSON.stringify({
        error: {
          message: message ?? 'The server had an error while processing your request. Sorry about that!',
          type: 'server_error',
          param: null,
          code: null,
        },
      })}\n\n`,
    toolCallId: (seed) => idOf('call_', seed),
    thinks: () => false,
  };
}

const unknownModel = (model: string): Refusal =>
  new Refusal(404, `The model \`${model}\` does not exist or you do not have access to it.`, {
    type: 'invalid_request_error',
    code: 'model_not_found',
  });

const tooLong = (most: number, found: number): Refusal =>
  invalid(
    `This model's maximum context length is ${most} tokens. However, your messages resulted in ${found} tokens. Please reduce the length of the messages.`,
    'messages',
    'context_length_exceeded',
  );

function read(incoming: Incoming, key: string, models: ReadonlyMap<string, FakeModel>): Read {
  const { method, path, headers, text } = incoming;
  if (path !== '/v1/chat/completions' || method !== 'POST')
    throw new Refusal(404, `Invalid URL (${method} ${path})`, { type: 'invalid_request_error' });
  checkKey(headers.authorization, key);
  if (!/^application\/json\b/.test(headers['content-type'] ?? ''))
    throw invalid("you must provide a model parameter: the request has to be of the type 'application/json'");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid(
      'We could not parse the JSON body of your request. (HINT: This likely means you aren’t using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)',
    );
  }
  if (!isRecord(json)) throw invalid('The JSON body of your request is not an object.');
  const result = shaped(completionsBody, json);
  if (!result.ok) throw wrongOf(result.wrong);
  const body = result.value;
  const model = models.get(body.model);
  if (!model) throw unknownModel(body.model);
  checkCompletion(body, model);
  const input = tokensOf(promptPieces(body));
  const most = body.max_completion_tokens ?? body.max_tokens ?? 0;
  if (input > model.context) throw tooLong(model.context, input);
  if (input + most > model.context)
    throw invalid(
      `This model's maximum context length is ${model.context} tokens. However, you requested ${input + most} tokens (${input} in the messages, ${most} in the completion). Please reduce the length of the messages or completion.`,
      'messages',
      'context_length_exceeded',
    );
  return {
    kind: 'chat',
    request: requestOf(body, json, incoming),
    dropped: 0,
    charge: () => ({ input, cacheRead: 0, cacheWrite: 0 }),
  };
}

function checkKey(authorization: string | undefined, key: string): void {
  if (authorization === undefined || !authorization.startsWith('Bearer '))
    throw new Refusal(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
      { type: 'invalid_request_error' },
    );
  const given = authorization.slice(7);
  if (given !== key)
    throw new Refusal(
      401,
      `Incorrect API key provided: ${given.slice(0, 3)}${'*'.repeat(8)}${given.slice(-4)}.`,
      {
        type: 'invalid_request_error',
        code: 'invalid_api_key',
      },
    );
}

/** What a prompt consists of: a text for itself, a tool or tool calls as their JSON. */
export function promptPieces(body: CompletionsBody): string[] {
  const pieces = (body.tools ?? []).map((tool) => JSON.stringify(tool));
  for (const message of body.messages) {
    pieces.push(textOf(message.content));
    if (message.role === 'assistant' && message.tool_calls) pieces.push(JSON.stringify(message.tool_calls));
  }
  return pieces;
}

function requestOf(body: CompletionsBody, json: Record<string, unknown>, { headers }: Incoming): FakeRequest {
  const names = new Map<string, string>();
  const messages: FakeTurn[] = [];
  const spoken: string[] = [];
  for (const message of body.messages) {
    const text = textOf(message.content);
    if (message.role === 'system' || message.role === 'developer') spoken.push(text);
    else if (message.role === 'user') messages.push({ role: 'user', text });
    else if (message.role === 'assistant') {
      const calls = message.tool_calls ?? [];
      for (const call of calls) names.set(call.id, call.function.name);
      const toolCalls = calls.map((call) => ({
        id: call.id,
        name: call.function.name,
        input: valueOf(call.function.arguments),
      }));
      messages.push({ role: 'assistant', text, toolCalls });
    } else {
      const { tool_call_id: toolCallId } = message;
      messages.push({
        role: 'tool',
        text,
        toolCallId,
        toolName: names.get(toolCallId) ?? null,
        isError: false,
      });
    }
  }
  const format = body.response_format;
  return {
    provider: 'openai',
    model: body.model,
    system: spoken.join('\n\n'),
    messages,
    tools: body.tool_choice === 'none' ? [] : (body.tools ?? []).map((tool) => tool.function.name),
    wantsJson:
      format?.type === 'json_schema'
        ? (format.json_schema.schema ?? null)
        : format?.type === 'json_object'
          ? { type: 'object' }
          : null,
    temperature: body.temperature ?? null,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    stream: body.stream ?? false,
    headers,
    body: json,
  };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
