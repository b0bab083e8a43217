/** A request in the words of OpenAI's chat completions. */
import type OpenAI from 'openai';
import type { AnswerSchema, Turn } from './model.ts';
import { argumentsText, type ProviderCall, resultText } from './provider.ts';

export type OpenAIBody = Omit<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming, 'stream'>;

export function openaiBody({ model, request, facts }: ProviderCall): OpenAIBody {
  const { system, tools, answer, temperature } = request;
  return {
    model,
    max_completion_tokens: request.maxOutputTokens,
    messages: [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...request.messages.map(message),
    ],
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, parameters }) => ({
        type: 'function' as const,
        function: { name, description, parameters: { ...parameters } },
      })),
    }),
    ...(answer !== null && { response_format: responseFormat(answer) }),
    ...(temperature !== null && { temperature }),
    ...(facts.effort !== null && { reasoning_effort: facts.effort }),
  };
}

function message(turn: Turn): OpenAI.Chat.Completions.ChatCompletionMessageParam {
  switch (turn.role) {
    case 'user':
      return { role: 'user', content: turn.text };
    case 'assistant':
      if (turn.tool_calls.length === 0) return { role: 'assistant', content: turn.text };
      return {
        role: 'assistant',
        content: turn.text === '' ? null : turn.text,
        tool_calls: turn.tool_calls.map((call) => ({
          type: 'function',
          id: call.id,
          function: { name: call.tool, arguments: argumentsText(call.arguments) },
        })),
      };
    case 'tool':
      return { role: 'tool', tool_call_id: turn.call_id, content: resultText(turn) };
  }
}

function responseFormat({ name, schema }: AnswerSchema): OpenAI.ResponseFormatJSONSchema {
  return {
    type: 'json_schema',
    json_schema: {
      name: name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64),
      schema: { ...schema },
      strict: isStrict(schema),
    },
  };
}

const STRICT_WORDS = new Set([
  ...[
    'type',
    'properties',
    'required',
    'additionalProperties',
    'items',
    'enum',
    'const',
    'anyOf',
    '$ref',
    '$defs',
  ],
  ...['description', 'title', 'pattern', 'minimum', 'maximum', 'minItems', 'maxItems', '$schema'],
]);

/** Strict mode refuses a schema with optional or further properties, and words that it does not know. */
function isStrict(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  if (!Object.keys(schema).every((word) => STRICT_WORDS.has(word))) return false;
  const { type, properties, required, additionalProperties, items, anyOf, $defs } = schema as Record<
    string,
    unknown
  >;
  if (type === 'object') {
    const names = Object.keys(properties ?? {});
    const needed = Array.isArray(required) ? required : [];
    if (additionalProperties !== false || !names.every((name) => needed.includes(name))) return false;
  }
  const parts = [properties, $defs].flatMap((each) => Object.values(each ?? {}));
  return [...parts, ...(items === undefined ? [] : [items]), ...(Array.isArray(anyOf) ? anyOf : [])].every(
    isStrict,
  );
}
