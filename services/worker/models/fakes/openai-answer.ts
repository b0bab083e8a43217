/** Answers of chat completions: a `ChatCompletion`, or its chunks. */
import type { FakeRequest, FullAnswer } from './dialect.ts';
import { isRecord } from './shape.ts';
import { idOf, piecesOf, seedOf, tokensIn } from './tokens.ts';

const CREATED = 1_793_000_000;

/** A refusal is the `refusal` of a message when it has words, else the content filter stopped it. */
function finishOf(answer: FullAnswer): string {
  if (answer.stop === 'refusal') return answer.text === '' ? 'content_filter' : 'stop';
  return { end: 'stop', tool_use: 'tool_calls', length: 'length' }[answer.stop];
}

export function completion(request: FakeRequest, answer: FullAnswer): Record<string, unknown> {
  const calls = answer.toolCalls.map(({ id, name, json }) => ({
    id,
    type: 'function',
    function: { name, arguments: json },
  }));
  const refused = answer.stop === 'refusal' && answer.text !== '';
  const message = {
    role: 'assistant',
    content: refused || answer.text === '' ? null : answer.text,
    refusal: refused ? answer.text : null,
    annotations: [],
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  const choice = { index: 0, message, logprobs: null, finish_reason: finishOf(answer) };
  return { ...envelope(request, answer, 'chat.completion'), choices: [choice], usage: usageOf(answer) };
}

/** Every chunk by itself; usage only if it was asked for, then `null` in all but its own. */
export function chunks(request: FakeRequest, answer: FullAnswer): string[] {
  const options = request.body['stream_options'];
  const counted = isRecord(options) && options['include_usage'] === true;
  const events: string[] = [];
  const base = envelope(request, answer, 'chat.completion.chunk');
  const send = (choices: unknown[], usage: unknown = null) => {
    const chunk = {
      ...base,
      choices,
      ...(counted ? { usage } : {}),
      obfuscation: 'x'.repeat(events.length % 7),
    };
    events.push(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  const delta = (change: object, finish: string | null = null) => {
    send([{ index: 0, delta: change, logprobs: null, finish_reason: finish }]);
  };
  const field = answer.stop === 'refusal' ? 'refusal' : 'content';
  const begins = answer.toolCalls.length > 0 && answer.text === '' ? null : '';
  delta({ role: 'assistant', content: begins, refusal: null });
  for (const piece of piecesOf(answer.text, 20)) delta({ [field]: piece });
  for (const [index, { id, name, json }] of answer.toolCalls.entries()) {
    delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] });
    for (const piece of piecesOf(json, 8)) delta({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  delta({}, finishOf(answer));
  if (counted) send([], usageOf(answer));
  events.push('data: [DONE]\n\n');
  return events;
}

function envelope(request: FakeRequest, answer: FullAnswer, object: string): Record<string, unknown> {
  return {
    id: idOf('chatcmpl-', seedOf(request.body), answer.text, ...answer.toolCalls.map(({ id }) => id)),
    object,
    created: CREATED,
    model: request.model,
    service_tier: 'default',
    system_fingerprint: null,
  };
}

function usageOf({ usage, thinking }: FullAnswer): Record<string, unknown> {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: tokensIn(thinking ?? ''),
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
