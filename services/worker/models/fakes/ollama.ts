/**
 * Ollama's POST /api/chat, GET /api/tags and POST /api/show, written from the types of ollama 0.6 and the server's
 * own handlers. It takes no key. It knows no refusal, and a request that is too long for `num_ctx` loses its oldest
 * turns without a word, unless it says `truncate: false`.
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
import { chatLines, chatResponse } from './ollama-answer.ts';
import { modelList, modelShown } from './ollama-models.ts';
import { type ChatBody, type ChatMessage, chatBody, showBody } from './ollama-schema.ts';
import { isRecord, pathText, shaped, typeName, type Wrong } from './shape.ts';
import { idOf, tokensOf } from './tokens.ts';

/** What a server uses where neither the request nor the model says more. */
export const DEFAULT_CONTEXT = 4096;

export function ollamaDialect({ models }: DialectOptions): Dialect {
  return {
    provider: 'ollama',
    maxBodyBytes: 256 * 1024 * 1024,
    streamType: 'application/x-ndjson',
    read: (incoming) => read(incoming, models),
    refusal: (reason, model) => {
      if (reason === 'model_not_found') return notFound(model);
      if (reason === 'overloaded')
        return new Refusal(503, 'server busy, please try again.  maximum pending requests exceeded');
      return tooLong();
    },
    errorBody: ({ message }) => JSON.stringify({ error: message }),
    headers: () => ({}),
    plain: (request, answer) => JSON.stringify(chatResponse(request, answer)),
    events: chatLines,
    errorEvent: (message) =>
      `${JSON.stringify({ error: message ?? 'an error was encountered while running the model: unexpected EOF' })}\n`,
    toolCallId: (seed) => idOf('call_', seed).slice(0, 13),
    thinks: () => false,
  };
}

const bad = (message: string): Refusal => new Refusal(400, message);
const notFound = (model: string): Refusal => new Refusal(404, `model '${model}' not found`);
const tooLong = (): Refusal => bad('the input length exceeds the context length');

/** A name without a tag is the one with `latest`. */
function found(models: ReadonlyMap<string, FakeModel>, name: string): FakeModel {
  const model = models.get(name) ?? models.get(`${name}:latest`);
  if (!model) throw notFound(name);
  return model;
}

function read(incoming: Incoming, models: ReadonlyMap<string, FakeModel>): Read {
  switch (`${incoming.method} ${incoming.path}`) {
    case 'GET /api/tags':
      return { kind: 'reply', json: modelList(models) };
    case 'POST /api/show': {
      const body = bodyOf(incoming, showBody).value;
      const name = body.model ?? body.name ?? '';
      if (name === '') throw bad('model is required');
      return { kind: 'reply', json: modelShown(name, found(models, name)) };
    }
    case 'POST /api/chat':
      return chat(incoming, models);
    default:
      throw new Refusal(404, '404 page not found');
  }
}

function bodyOf<T>(
  { text }: Incoming,
  schema: Parameters<typeof shaped<T>>[0],
): { value: T; json: Record<string, unknown> } {
  if (text === '') throw bad('missing request body');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw bad(`invalid character: ${String(error)}`);
  }
  if (!isRecord(json)) throw bad('json: cannot unmarshal into Go value of type api.ChatRequest');
  const result = shaped(schema, json);
  if (!result.ok) throw bad(wrongText(result.wrong));
  return { value: result.value, json };
}

function chat(incoming: Incoming, models: ReadonlyMap<string, FakeModel>): Read {
  const { value: body, json } = bodyOf(incoming, chatBody);
  if (body.model === '') throw bad('model is required');
  const model = found(models, body.model);
  if (body.tools?.length && !model.tools) throw bad(`"${body.model}" does not support tools`);
  if (body.think !== undefined && body.think !== false && model.thinking === 'none')
    throw bad(`"${body.model}" does not support thinking`);
  const schema = isRecord(body.format) ? body.format : null;
  if (schema && schema['type'] !== 'object')
    throw bad('invalid format: failed to parse grammar: the schema has to be of an object');
  const messages = body.messages ?? [];
  if (messages.length === 0) {
    const loaded = {
      model: body.model,
      created_at: '2026-11-24T12:00:00Z',
      message: { role: 'assistant', content: '' },
    };
    return {
      kind: 'reply',
      json: { ...loaded, done: true, done_reason: body.keep_alive === 0 ? 'unload' : 'load' },
    };
  }
  const context = Math.min(body.options?.num_ctx ?? DEFAULT_CONTEXT, model.context);
  const kept = fitting(body, messages, context);
  const input = Math.min(tokensOf(promptPieces(body, kept)), context);
  return {
    kind: 'chat',
    request: requestOf(body, kept, json, incoming),
    dropped: messages.length - kept.length,
    charge: () => ({ input, cacheRead: 0, cacheWrite: 0 }),
  };
}

/** System messages and the last one stay; of the others the oldest go until the rest fits. */
function fitting(body: ChatBody, messages: readonly ChatMessage[], context: number): readonly ChatMessage[] {
  let kept = messages;
  while (tokensOf(promptPieces(body, kept)) > context) {
    if (body.truncate === false) throw tooLong();
    const oldest = kept.findIndex((message, at) => message.role !== 'system' && at < kept.length - 1);
    if (oldest === -1) return kept;
    kept = kept.filter((_, at) => at !== oldest);
  }
  return kept;
}

/** What a prompt consists of: a text for itself, a tool or tool calls as their JSON. */
export function promptPieces(body: ChatBody, messages: readonly ChatMessage[]): string[] {
  const pieces = (body.tools ?? []).map((tool) => JSON.stringify(tool));
  for (const message of messages) {
    pieces.push(message.content);
    if (message.role === 'assistant' && message.tool_calls) pieces.push(JSON.stringify(message.tool_calls));
  }
  return pieces;
}

function requestOf(
  body: ChatBody,
  kept: readonly ChatMessage[],
  json: Record<string, unknown>,
  { headers }: Incoming,
): FakeRequest {
  const spoken: string[] = [];
  const messages: FakeTurn[] = [];
  for (const message of kept) {
    const { content: text } = message;
    if (message.role === 'system') spoken.push(text);
    else if (message.role === 'user') messages.push({ role: 'user', text });
    else if (message.role === 'tool') {
      const { tool_name: toolName, tool_call_id: toolCallId = null } = message;
      messages.push({ role: 'tool', text, toolCallId, toolName, isError: false });
    } else {
      const toolCalls = (message.tool_calls ?? []).map((call) => ({
        id: call.id ?? '',
        name: call.function.name,
        input: call.function.arguments,
      }));
      messages.push({ role: 'assistant', text, toolCalls });
    }
  }
  const most = body.options?.num_predict ?? -1;
  return {
    provider: 'ollama',
    model: body.model,
    system: spoken.join('\n\n'),
    messages,
    tools: (body.tools ?? []).map((tool) => tool.function.name),
    wantsJson: isRecord(body.format) ? body.format : body.format === 'json' ? { type: 'object' } : null,
    temperature: body.options?.temperature ?? null,
    maxTokens: most > 0 ? most : null,
    // The server streams unless it is told not to; the client always says which.
    stream: body.stream ?? true,
    headers,
    body: json,
  };
}

function wrongText({ path, issue, found: value }: Wrong): string {
  const at = pathText(path, 'dots');
  if (issue.code === 'unrecognized_keys')
    return `json: unknown field "${at === '' ? '' : `${at}.`}${issue.keys[0]}"`;
  if (path[0] === 'options' && path.length === 2 && issue.code === 'invalid_type')
    return `option "${String(path[1])}" must be of type ${issue.expected === 'int' ? 'integer' : issue.expected}`;
  if (value === undefined) return `${at} is required`;
  return `json: cannot unmarshal ${typeName(value)} into Go struct field ChatRequest.${at}: ${issue.message}`;
}
