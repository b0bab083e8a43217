/** What is checked of a request before it is sent, so that no call is paid for that must fail. */
import { Failure } from '#chassis/failures.ts';
import type { ModelFacts } from './capabilities.ts';
import type { ModelRequest } from './model.ts';
import { jsonInstruction } from './structured.ts';

/** A token is hardly ever more of a text than this. */
const MOST_CHARACTERS_OF_A_TOKEN = 8;

/**
 * The request as this model can serve it: no more output than it gives, no temperature where it takes none, an
 * instruction where it cannot be bound to JSON. Throws `model_incapable` or `context_too_long`.
 */
export function fitted(request: ModelRequest, { capabilities }: ModelFacts, who: string): ModelRequest {
  if (request.tools.length > 0 && !capabilities.tools) {
    throw new Failure(
      'model_incapable',
      `${who}: found ${request.tools.length} tools in the request, and it takes none. Name another model for the role`,
    );
  }
  const told = request.answer !== null && !capabilities.json;
  const fit = {
    ...request,
    system:
      told && request.answer
        ? `${request.system}\n\n${jsonInstruction(request.answer)}`.trim()
        : request.system,
    answer: told ? null : request.answer,
    temperature: capabilities.temperature ? request.temperature : null,
    maxOutputTokens: Math.min(request.maxOutputTokens, capabilities.maxOutputTokens),
  };
  const least = Math.floor(characters(fit) / MOST_CHARACTERS_OF_A_TOKEN);
  if (least >= capabilities.contextTokens) {
    throw new Failure(
      'context_too_long',
      `${who}: found a request of at least ${least} tokens, expected at most ${capabilities.contextTokens}`,
    );
  }
  return fit;
}

/** The characters of all that a model reads of a request. */
export function characters({ system, messages, tools, answer }: ModelRequest): number {
  let sum = system.length + (answer === null ? 0 : JSON.stringify(answer.schema).length);
  for (const tool of tools) sum += JSON.stringify(tool).length;
  for (const turn of messages) {
    if (turn.role === 'tool') sum += turn.output.length + turn.message.length;
    else sum += turn.text.length;
    if (turn.role === 'assistant') for (const call of turn.tool_calls) sum += call.arguments.length;
  }
  return sum;
}
