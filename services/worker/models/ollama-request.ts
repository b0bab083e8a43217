/** A request in the words of Ollama's chat API. */
import type { ChatRequest, Message, Tool } from 'ollama';
import { characters } from './fit.ts';
import type { Turn } from './model.ts';
import { argumentsObject, type ProviderCall, resultText } from './provider.ts';
import { jsonInstruction } from './structured.ts';

/** The shortest context that is asked for. Each length loads the model anew, so there are few: this, twice this, … */
const SHORTEST_CONTEXT = 8_192;

/** Servers know `truncate`, and the client's types do not: without it the oldest turns would be dropped silently. */
export type OllamaBody = Omit<ChatRequest, 'stream'> & { readonly truncate: false };

export function ollamaBody({ model, request, facts }: ProviderCall): OllamaBody {
  const { tools, answer, temperature, maxOutputTokens } = request;
  // `format` binds every token of the answer, and a model that is bound calls no tools: then it is told instead.
  const told = answer !== null && tools.length > 0;
  const system = told ? `${request.system}\n\n${jsonInstruction(answer)}`.trim() : request.system;
  return {
    model,
    messages: [
      ...(system === '' ? [] : [{ role: 'system', content: system }]),
      ...request.messages.map(message),
    ],
    ...(tools.length > 0 && { tools: tools.map(tool) }),
    ...(answer !== null && !told && { format: answer.schema }),
    truncate: false,
    options: {
      num_predict: maxOutputTokens,
      num_ctx: contextFor(characters(request), maxOutputTokens, facts.capabilities.contextTokens),
      ...(temperature !== null && { temperature }),
    },
  };
}

/** Ollama's own default is a few thousand tokens, whatever the model takes. */
function contextFor(chars: number, output: number, most: number): number {
  const needed = Math.ceil(chars / 3) + output;
  let context = SHORTEST_CONTEXT;
  while (context < needed) context *= 2;
  return Math.min(context, most);
}

const tool = ({ name, description, parameters }: ProviderCall['request']['tools'][number]): Tool => ({
  type: 'function',
  function: { name, description, parameters: { ...parameters } },
});

function message(turn: Turn): Message {
  switch (turn.role) {
    case 'user':
      return { role: 'user', content: turn.text };
    case 'assistant':
      return {
        role: 'assistant',
        content: turn.text,
        ...(turn.tool_calls.length > 0 && {
          tool_calls: turn.tool_calls.map((call) => ({
            function: { name: call.tool, arguments: argumentsObject(call.arguments) },
          })),
        }),
      };
    case 'tool':
      return { role: 'tool', tool_name: turn.tool, content: resultText(turn) };
  }
}
