/** What the Messages API asks of tools, and of their calls and results. */
import { invalid } from './anthropic-refusal.ts';
import { blocksOf, type ContentBlock, type MessagesBody } from './anthropic-schema.ts';
import { strictSchemaFault } from './strict-schema.ts';

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

export function checkToolPairs(body: MessagesBody): void {
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

export function checkTools(body: MessagesBody): void {
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
