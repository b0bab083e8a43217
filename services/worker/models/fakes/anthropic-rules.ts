/** What the Messages API asks of a request beyond its shape. Each rule throws a Refusal in the API's words. */
import { blocksOf, type ContentBlock, type MessagesBody } from './anthropic-schema.ts';
import { Refusal } from './dialect.ts';
import type { FakeModel } from './models.ts';
import { strictSchemaFault } from './strict-schema.ts';

export const invalid = (message: string): Refusal =>
  new Refusal(400, message, { type: 'invalid_request_error' });

/** Versions of the API; the newest takes no sampling parameters. */
export const versions = ['2023-01-01', '2023-06-01', '2026-10-21'] as const;
export type Version = (typeof versions)[number];

export function checkMessages(body: MessagesBody, model: FakeModel, version: Version): void {
  checkModelLimits(body, model, version);
  checkTurns(body, model);
  checkTexts(body);
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
  const { thinking } = body;
  if (thinking === undefined) return;
  const manual = thinking.type === 'enabled';
  const adaptive = thinking.type === 'adaptive' || thinking.type === 'between_tools';
  if (manual && (model.thinking === 'adaptive' || model.thinking === 'always'))
    throw invalid(
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    );
  if (adaptive && (model.thinking === 'budget' || model.thinking === 'none'))
    throw invalid(`${thinking.type} thinking is not supported on this model`);
  if (thinking.type === 'disabled' && model.thinking === 'always')
    throw invalid('"thinking.type.disabled" is not supported for this model.');
  if (manual && model.thinking === 'none') throw invalid('thinking is not supported on this model');
  if (manual && thinking.budget_tokens >= body.max_tokens)
    throw invalid('`max_tokens` must be greater than `thinking.budget_tokens`.');
  if (manual && (body.tool_choice?.type === 'any' || body.tool_choice?.type === 'tool'))
    throw invalid('Thinking may not be enabled when tool_choice forces tool use.');
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

/** Consecutive turns of one role count as one, as the API joins them. */
function joined(body: MessagesBody): { at: number; role: string; blocks: ContentBlock[] }[] {
  const turns: { at: number; role: string; blocks: ContentBlock[] }[] = [];
  for (const [at, { role, content }] of body.messages.entries()) {
    const last = turns.at(-1);
    if (last?.role === role) last.blocks.push(...blocksOf(content));
    else turns.push({ at, role, blocks: [...blocksOf(content)] });
  }
  return turns;
}

function checkToolPairs(body: MessagesBody): void {
  const turns = joined(body);
  const seen = new Set<string>();
  for (const [index, turn] of turns.entries()) {
    const uses = turn.blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    for (const id of uses) {
      if (seen.has(id)) throw invalid(`messages.${turn.at}.content: \`tool_use\` ids must be unique`);
      seen.add(id);
    }
    checkResults(turn, turns[index - 1], index === 0);
    if (uses.length === 0) continue;
    const next = turns[index + 1];
    // Results stand before all else: what follows text does not count.
    const end = next ? next.blocks.findIndex((block) => block.type !== 'tool_result') : 0;
    const first = next ? next.blocks.slice(0, end === -1 ? undefined : end) : [];
    const answered = new Set(
      first.flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : [])),
    );
    const missing = uses.filter((id) => !answered.has(id));
    if (missing.length > 0)
      throw invalid(
        `messages.${turn.at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
      );
  }
  const used = turns.some(({ blocks }) =>
    blocks.some(({ type }) => type === 'tool_use' || type === 'tool_result'),
  );
  if (used && !body.tools?.length)
    throw invalid('Requests which include `tool_use` or `tool_result` blocks must define tools');
}

type Joined = ReturnType<typeof joined>[number];

function checkResults(turn: Joined, before: Joined | undefined, first: boolean): void {
  const results = turn.blocks.flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : []));
  const uses = new Set(before?.blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : [])));
  for (const [index, id] of results.entries()) {
    if (first || !uses.has(id))
      throw invalid(
        `messages.${turn.at}.content.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    if (results.indexOf(id) !== index)
      throw invalid(
        `messages.${turn.at}.content.${index}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`,
      );
  }
}

function checkTools(body: MessagesBody): void {
  const names = (body.tools ?? []).map(({ name }) => name);
  if (new Set(names).size < names.length) throw invalid('tools: Tool names must be unique.');
  if (body.tool_choice && names.length === 0)
    throw invalid('tool_choice: may only be specified while providing tools.');
  if (body.tool_choice?.type === 'tool' && !names.includes(body.tool_choice.name))
    throw invalid(`tool_choice.name: Tool '${body.tool_choice.name}' not found in provided tools`);
  for (const [at, tool] of (body.tools ?? []).entries()) {
    const fault = tool.strict ? strictSchemaFault(tool.input_schema, 'anthropic') : null;
    if (fault) throw invalid(`tools.${at}.custom: ${fault}`);
  }
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
