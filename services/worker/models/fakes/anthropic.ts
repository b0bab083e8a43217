/**
 * Anthropic's Messages API: POST /v1/messages, versions 2023-06-01 and 2026-10-21. Written from the types of
 * @anthropic-ai/sdk 1.11, which sends its key as `authorization: Bearer`; `x-api-key` is taken as well.
 */

import { answerEvents, answerMessage } from './anthropic-answer.ts';
import { PromptCache, promptPieces } from './anthropic-cache.ts';
import { errorBody, invalid, notFound, wrongText } from './anthropic-refusal.ts';
import { checkMessages, type Version, versions } from './anthropic-rules.ts';
import { blocksOf, type MessagesBody, messagesBody } from './anthropic-schema.ts';
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
import { isRecord, shaped } from './shape.ts';
import { idOf, tokensOf } from './tokens.ts';

/** Values of `anthropic-beta` that mean something to a request that our adapter can send. */
const betas = [
  'prompt-caching-2024-07-31',
  'token-efficient-tools-2025-02-19',
  'extended-cache-ttl-2025-04-11',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'context-1m-2025-08-07',
  'structured-outputs-2025-11-13',
  'oauth-2025-04-20',
];

export function anthropicDialect({ key, models, clock }: DialectOptions): Dialect {
  const cache = new PromptCache(clock);
  return {
    provider: 'anthropic',
    maxBodyBytes: 32 * 1024 * 1024,
    streamType: 'text/event-stream; charset=utf-8',
    read: (incoming) => read(incoming, key, models, cache),
    refusal: (reason, model) => {
      if (reason === 'model_not_found') return notFound(`model: ${model}`);
      if (reason === 'overloaded') return new Refusal(529, 'Overloaded');
      const most = models.get(model)?.context ?? 200_000;
      return invalid(`prompt is too long: ${most + 1} tokens > ${most} maximum`);
    },
    errorBody: (refusal, requestId) => errorBody(refusal, requestId),
    headers: (requestId) => ({
      'request-id': requestId,
      'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
      'anthropic-ratelimit-requests-limit': '4000',
      'anthropic-ratelimit-requests-remaining': '3999',
    }),
    plain: (request, answer) => JSON.stringify(answerMessage(request, answer)),
    events: answerEvents,
    errorEvent: (message, requestId) =>
      `event: error\ndata: ${errorBody(new Refusal(529, message ?? 'Overloaded'), requestId)}\n\n`,
    toolCallId: (seed) => idOf('toolu_', seed),
    thinks: ({ model, body }) => {
      const { thinking: kind } = models.get(model) ?? { thinking: 'none' };
      const asked = isRecord(body['thinking']) ? body['thinking']['type'] : null;
      if (asked !== null) return asked !== 'disabled';
      return kind === 'adaptive' || kind === 'always';
    },
  };
}

function read(
  incoming: Incoming,
  key: string,
  models: ReadonlyMap<string, FakeModel>,
  cache: PromptCache,
): Read {
  if (incoming.path !== '/v1/messages') throw notFound('Not found');
  if (incoming.method !== 'POST')
    throw new Refusal(405, 'Method Not Allowed', { type: 'invalid_request_error' });
  const version = checkHeaders(incoming, key);
  let json: unknown;
  try {
    json = JSON.parse(incoming.text);
  } catch (error) {
    throw invalid(`The request body is not valid JSON: ${String(error)}`);
  }
  if (!isRecord(json)) throw invalid('Input should be a valid dictionary');
  const result = shaped(messagesBody, json);
  if (!result.ok) throw invalid(wrongText(result.wrong, json));
  const body = result.value;
  const model = models.get(body.model);
  if (!model) throw notFound(`model: ${body.model}`);
  checkMessages(body, models, model, version);
  checkContext(body, model);
  return {
    kind: 'chat',
    request: requestOf(body, json, incoming),
    dropped: 0,
    charge: () => cache.charge(body, model),
  };
}

function checkHeaders({ headers }: Incoming, key: string): Version {
  const authorization = headers.authorization;
  const given =
    headers['x-api-key'] ?? (authorization?.startsWith('Bearer ') ? authorization.slice(7) : undefined);
  const unauthorized = (message: string) => new Refusal(401, message, { type: 'authentication_error' });
  if (given === undefined || given === '') throw unauthorized('x-api-key header is required');
  if (given !== key)
    throw unauthorized(headers['x-api-key'] === undefined ? 'Invalid bearer token' : 'invalid x-api-key');
  const version = headers['anthropic-version'];
  if (version === undefined) throw invalid('anthropic-version: header is required');
  const known = versions.find((one) => one === version);
  if (!known) throw invalid(`anthropic-version: "${String(version)}" is not a valid version`);
  if (!/^application\/json\b/.test(headers['content-type'] ?? ''))
    throw invalid('content-type: the request must be application/json');
  for (const beta of String(headers['anthropic-beta'] ?? '').split(',')) {
    if (beta !== '' && !betas.includes(beta.trim()))
      throw invalid(
        `Unexpected value(s) \`${beta.trim()}\` for the \`anthropic-beta\` header. Please consult our documentation at docs.claude.com or try again without the header.`,
      );
  }
  return known;
}

function checkContext(body: MessagesBody, model: FakeModel): void {
  const input = tokensOf(promptPieces(body).map(({ text }) => text));
  if (input > model.context) throw invalid(`prompt is too long: ${input} tokens > ${model.context} maximum`);
  if (input + body.max_tokens > model.context)
    throw invalid(
      `input length and \`max_tokens\` exceed context limit: ${input} + ${body.max_tokens} > ${model.context}, decrease input length or \`max_tokens\` and try again`,
    );
}

function requestOf(body: MessagesBody, json: Record<string, unknown>, { headers }: Incoming): FakeRequest {
  const names = new Map<string, string>();
  const messages: FakeTurn[] = [];
  const spoken = blocksOf(body.system ?? []).map((block) => (block.type === 'text' ? block.text : ''));
  for (const { role, content } of body.messages) {
    const blocks = blocksOf(content);
    const text = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('');
    if (role === 'system') spoken.push(text);
    if (role === 'assistant') {
      const toolCalls = blocks.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
      for (const { id, name } of toolCalls) names.set(id, name);
      messages.push({ role, text, toolCalls: toolCalls.map(({ id, name, input }) => ({ id, name, input })) });
    }
    if (role !== 'user') continue;
    for (const block of blocks) {
      if (block.type !== 'tool_result') continue;
      const { tool_use_id: toolCallId, content: result = '', is_error: isError = false } = block;
      const said = typeof result === 'string' ? result : result.map((part) => part.text).join('');
      messages.push({
        role: 'tool',
        text: said,
        toolCallId,
        toolName: names.get(toolCallId) ?? null,
        isError,
      });
    }
    if (blocks.some(({ type }) => type === 'text')) messages.push({ role, text });
  }
  return {
    provider: 'anthropic',
    model: body.model,
    system: spoken.join('\n\n'),
    messages,
    tools: body.tool_choice?.type === 'none' ? [] : (body.tools ?? []).map(({ name }) => name),
    wantsJson: body.output_config?.format?.schema ?? null,
    temperature: body.temperature ?? null,
    maxTokens: body.max_tokens,
    stream: body.stream ?? false,
    headers,
    body: json,
  };
}
