/** What the Messages API asks of a request beyond its shape. Each rule throws a Refusal in the API's words. */
import { signatureOf } from './anthropic-answer.ts';
import { invalid } from './anthropic-refusal.ts';
import { blocksOf, type ContentBlock, type MessagesBody } from './anthropic-schema.ts';
import { checkToolPairs, checkTools } from './anthropic-tools.ts';
import type { FakeModel } from './models.ts';
import { strictSchemaFault } from './strict-schema.ts';

/** Versions of the API; the newest takes no sampling parameters. */
export const versions = ['2023-01-01', '2023-06-01', '2026-10-21'] as const;
export type Version = (typeof versions)[number];

export function checkMessages(
  body: MessagesBody,
  models: ReadonlyMap<string, FakeModel>,
  model: FakeModel,
  version: Version,
): void {
  checkModelLimits(body, model, version);
  checkTurns(body, model);
  checkTexts(body);
  checkThoughts(body, model, [...models.keys()]);
  checkToolPairs(body);
  checkTools(body);
  checkCacheMarks(body);
  checkOutput(body);
}

function checkModelLimits(body: MessagesBody, model: FakeModel, version: Version): void {
  if (body.max_tokens > model.maxOutput)
    throw invalid(
      `max_tokens: ${body.max_tokens} > ${model.maxOutput}, which is the maximum allowed number of output tokens for ${body.model}`,
    );
  for (const name of ['temperature', 'top_p', 'top_k'] as const) {
    if (body[name] === undefined) continue;
    if (version === '2026-10-21') throw invalid(`${name}: Extra inputs are not permitted`);
    if (model.temperature === 'default' && body[name] !== 1)
      throw invalid(`\`${name}\` is deprecated for this model.`);
  }
  checkThinking(body, model);
}

function checkThinking(body: MessagesBody, model: FakeModel): void {
  const { thinking } = body;
  const forced = body.tool_choice?.type === 'any' || body.tool_choice?.type === 'tool';
  if (forced && model.thinking === 'always')
    throw invalid('`tool_choice` that forces tool use is not supported for this model.');
  if (thinking === undefined) return;
  const { type } = thinking;
  const adaptive = type === 'adaptive' || type === 'between_tools';
  const refused =
    (type === 'enabled' && (model.thinking === 'adaptive' || model.thinking === 'always')) ||
    (type === 'disabled' && model.thinking === 'always');
  if (refused)
    throw invalid(
      `"thinking.type.${type}" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`,
    );
  if (adaptive && (model.thinking === 'budget' || model.thinking === 'none'))
    throw invalid(`${type} thinking is not supported on this model`);
  const effort = body.output_config?.effort;
  if (type === 'disabled' && model.thinking === 'adaptive' && (effort === 'xhigh' || effort === 'max'))
    throw invalid(`"thinking.type.disabled" is not supported with "output_config.effort" of "${effort}".`);
  if (type !== 'enabled') return;
  if (model.thinking === 'none') throw invalid('thinking is not supported on this model');
  if (thinking.budget_tokens >= body.max_tokens)
    throw invalid('`max_tokens` must be greater than `thinking.budget_tokens`.');
  if (forced) throw invalid('Thinking may not be enabled when tool_choice forces tool use.');
}

function checkTurns(body: MessagesBody, model: FakeModel): void {
  const { messages } = body;
  if (messages.length === 0) throw invalid('messages: at least one message is required');
  if (messages[0]?.role !== 'user') throw invalid('messages: first message must use the "user" role');
  for (const [at, { role, content }] of messages.entries()) {
    if (content.length === 0 && !(role === 'assistant' && at === messages.length - 1))
      throw invalid(
        `messages.${at}: all messages must have non-empty content except for the optional final assistant message`,
      );
  }
  checkSystemTurns(body, model);
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return;
  if (!model.prefill)
    throw invalid(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  const text = blocksOf(last.content).at(-1);
  if (text?.type === 'text' && /\s$/.test(text.text))
    throw invalid('messages: final assistant content cannot end with trailing whitespace');
}

/** Between a user's turn and the assistant's, where the model takes them at all. */
function checkSystemTurns({ messages }: MessagesBody, model: FakeModel): void {
  for (const [at, { role }] of messages.entries()) {
    if (role !== 'system') continue;
    if (!model.systemTurns) throw invalid(`messages.${at}: role 'system' is not supported on this model`);
    const [before, after] = [messages[at - 1]?.role, messages[at + 1]?.role];
    if (before === 'assistant' || after === 'user')
      throw invalid(
        `messages.${at}: a system message must immediately follow a user turn and precede an assistant turn`,
      );
  }
}

/** Thinking has to come back as it was sent; with manual thinking a tool call has to come with it. */
function checkThoughts(body: MessagesBody, model: FakeModel, models: readonly string[]): void {
  for (const [at, { content }] of body.messages.entries()) {
    for (const [place, block] of blocksOf(content).entries()) {
      if (block.type !== 'thinking') continue;
      const signers = model.thinking === 'always' ? [body.model] : models;
      if (!signers.some((name) => signatureOf(name, block.thinking) === block.signature))
        throw invalid(`messages.${at}.content.${place}: Invalid \`signature\` in \`thinking\` block`);
    }
  }
  const last = body.messages.findLastIndex(({ role }) => role === 'assistant');
  const first = blocksOf(body.messages[last]?.content ?? []).at(0);
  const uses = blocksOf(body.messages[last]?.content ?? []).some(({ type }) => type === 'tool_use');
  if (
    body.thinking?.type === 'enabled' &&
    uses &&
    first?.type !== 'thinking' &&
    first?.type !== 'redacted_thinking'
  )
    throw invalid(
      `messages.${last}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${first?.type}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block.`,
    );
}

function checkTexts(body: MessagesBody): void {
  if (Array.isArray(body.system) && body.system.some((block) => block.text === ''))
    throw invalid('system: text content blocks must be non-empty');
  for (const [at, message] of body.messages.entries()) {
    if (typeof message.content === 'string') continue;
    for (const [place, block] of message.content.entries()) {
      if (block.type === 'text') checkText(block, `messages.${at}.content.${place}`, message.role);
      if (block.type === 'tool_result' && Array.isArray(block.content))
        block.content.forEach((inner, index) => {
          checkText(inner, `messages.${at}.content.${place}.tool_result.content.${index}`, 'user');
        });
    }
  }
}

function checkText(block: ContentBlock & { type: 'text' }, where: string, role: string): void {
  if (block.text === '' && block.cache_control)
    throw invalid(`${where}.text: cache_control cannot be set for empty text blocks`);
  if (block.text === '') throw invalid('messages: text content blocks must be non-empty');
  if (block.text.trim() === '')
    throw invalid('messages: text content blocks must contain non-whitespace text');
  if (role === 'user' && block.citations?.length)
    throw invalid(`${where}.text.citations: citations are not permitted in user messages`);
}

function checkCacheMarks(body: MessagesBody): void {
  const marks = [
    ...(body.tools ?? []).map((tool) => tool.cache_control),
    ...(Array.isArray(body.system) ? body.system.map((block) => block.cache_control) : []),
    ...body.messages.flatMap(({ content }) =>
      blocksOf(content).map((block) => ('cache_control' in block ? block.cache_control : null)),
    ),
    body.cache_control,
  ].filter((mark) => mark !== undefined && mark !== null);
  if (marks.length > 4)
    throw invalid(`A maximum of 4 blocks with cache_control may be provided. Found ${marks.length}.`);
  const short = marks.findIndex((mark) => mark.ttl !== '1h');
  if (short !== -1 && marks.slice(short).some((mark) => mark.ttl === '1h'))
    throw invalid(
      "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    );
}

function checkOutput(body: MessagesBody): void {
  const format = body.output_config?.format;
  const fault = format ? strictSchemaFault(format.schema, 'anthropic') : null;
  if (fault) throw invalid(`output_config.format.schema: ${fault}`);
  if (body.stop_sequences?.some((sequence) => sequence.trim() === ''))
    throw invalid('stop_sequences: each stop sequence must contain non-whitespace');
}
