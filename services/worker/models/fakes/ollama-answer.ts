/** Answers of /api/chat: one `ChatResponse`, or a line for each piece, the last with the counts. */
import { type FakeRequest, type FullAnswer, Refusal } from './dialect.ts';
import { isRecord } from './shape.ts';
import { piecesOf } from './tokens.ts';

const CREATED_AT = '2026-11-24T12:00:00.000000001Z';

export function chatResponse(request: FakeRequest, answer: FullAnswer): Record<string, unknown> {
  const calls = toolCalls(answer);
  const message = {
    role: 'assistant',
    content: answer.text,
    ...(answer.thinking ? { thinking: answer.thinking } : {}),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return { model: request.model, created_at: CREATED_AT, message, ...ending(answer) };
}

export function chatLines(request: FakeRequest, answer: FullAnswer): string[] {
  const calls = toolCalls(answer);
  const line = (message: object, rest: object = { done: false }) =>
    `${JSON.stringify({ model: request.model, created_at: CREATED_AT, message: { role: 'assistant', content: '', ...message }, ...rest })}\n`;
  return [
    ...piecesOf(answer.thinking ?? '', 5).map((thinking) => line({ thinking })),
    ...piecesOf(answer.text, 20).map((content) => line({ content })),
    ...calls.map((call) => line({ tool_calls: [call] })),
    line({}, ending(answer)),
  ];
}

function ending({ stop, usage }: FullAnswer): Record<string, unknown> {
  return {
    done: true,
    // The server says `stop` after tool calls too.
    done_reason: stop === 'length' ? 'length' : 'stop',
    total_duration: 12_000_000,
    load_duration: 1_000_000,
    prompt_eval_count: usage.input,
    prompt_eval_duration: 1_000_000,
    eval_count: usage.output,
    eval_duration: 10_000_000,
  };
}

/** The server parses what the model writes; arguments that are no JSON object never leave it as a call. */
function toolCalls(answer: FullAnswer): object[] {
  const calls: object[] = [];
  for (const [index, { id, name, json }] of answer.toolCalls.entries()) {
    const value = objectOf(json);
    if (value) calls.push({ id, function: { index, name, arguments: value } });
    else if (answer.stop !== 'length')
      throw new Refusal(500, `error parsing tool call: raw='${json}', err=unexpected end of JSON input`);
  }
  return calls;
}

function objectOf(json: string): Record<string, unknown> | null {
  if (json === '') return {};
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
