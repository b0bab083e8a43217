/**
 * A request in the words of Anthropic's Messages API.
 *
 * What is cached is a prefix of tools, system and messages, in this order. Tools and role prompt are the same for all
 * tasks of a role, so both end in a mark; the third is on the last turn, so that the next round of the same task reads
 * all that this one has written.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema';
import type { ModelRequest, Turn } from './model.ts';
import { argumentsObject, type ProviderCall, resultText } from './provider.ts';

export type AnthropicBody = Omit<Anthropic.MessageCreateParamsNonStreaming, 'stream'>;

const cached = { cache_control: { type: 'ephemeral' } } as const;

export function anthropicBody({ model, request, facts }: ProviderCall): AnthropicBody {
  const thinking = thinkingOf(request, facts.thinking);
  return {
    model,
    max_tokens: request.maxOutputTokens,
    ...(request.tools.length > 0 && { tools: tools(request) }),
    ...(request.system !== '' && { system: [{ type: 'text', text: request.system, ...cached }] }),
    messages: messages(request.messages),
    ...(request.answer !== null && {
      output_config: { format: { type: 'json_schema', schema: outputSchema(request.answer.schema) } },
    }),
    ...(thinking !== null && { thinking: { type: thinking } }),
  };
}

/** Haiku without thought and bound to JSON leaves out tool calls that it needs: there it may think. */
function thinkingOf(request: ModelRequest, wanted: 'disabled' | 'between_tools' | null) {
  return wanted === 'disabled' && request.answer !== null && request.tools.length > 0 ? null : wanted;
}

function tools({ tools: all }: ModelRequest): Anthropic.Tool[] {
  return all.map(({ name, description, parameters }, index) => ({
    name,
    description,
    input_schema: { ...parameters, type: 'object' },
    ...(index === all.length - 1 && cached),
  }));
}

/** What the API cannot enforce of a schema (lengths, ranges) becomes part of its description. */
const outputSchema = (schema: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  transformJSONSchema({ ...schema });

/** Turns of users and tools that follow one another are one message of the user, as the API wants results of tools. */
function messages(turns: readonly Turn[]): Anthropic.MessageParam[] {
  const all: { role: 'user' | 'assistant'; content: Anthropic.ContentBlockParam[] }[] = [];
  for (const turn of turns) {
    const role = turn.role === 'assistant' ? 'assistant' : 'user';
    const content = blocks(turn);
    const last = all.at(-1);
    if (last?.role === role) last.content.push(...content);
    else if (content.length > 0) all.push({ role, content });
  }
  const last = all.at(-1)?.content;
  const end = last?.at(-1);
  if (last && (end?.type === 'text' || end?.type === 'tool_result'))
    last[last.length - 1] = { ...end, ...cached };
  return all;
}

function blocks(turn: Turn): Anthropic.ContentBlockParam[] {
  switch (turn.role) {
    case 'user':
      return text(turn.text);
    case 'assistant':
      return [
        ...text(turn.text),
        ...turn.tool_calls.map(({ id, tool, arguments: json }) => ({
          type: 'tool_use' as const,
          id,
          name: tool,
          input: argumentsObject(json),
        })),
      ];
    case 'tool':
      return [
        {
          type: 'tool_result',
          tool_use_id: turn.call_id,
          content: resultText(turn),
          ...(!turn.ok && { is_error: true }),
        },
      ];
  }
}

/** The API refuses a block of text that is empty or all white space. */
const text = (said: string): Anthropic.TextBlockParam[] =>
  said.trim() === '' ? [] : [{ type: 'text', text: said }];
