/** Answers of the Messages API: a `Message`, or the events of its stream. */
import type { FakeRequest, FullAnswer } from './dialect.ts';
import { isRecord } from './shape.ts';
import { idOf, piecesOf, seedOf, tokensIn } from './tokens.ts';

const stopReasons = {
  end: 'end_turn',
  tool_use: 'tool_use',
  length: 'max_tokens',
  refusal: 'refusal',
} as const;

export function answerMessage(request: FakeRequest, answer: FullAnswer): Record<string, unknown> {
  const content: unknown[] = [];
  if (answer.thinking !== null) content.push(thinkingBlock(request, answer.thinking));
  if (answer.text !== '') content.push({ type: 'text', text: answer.text, citations: null });
  for (const { id, name, json } of answer.toolCalls)
    content.push({ type: 'tool_use', id, name, input: valueOf(json), caller: { type: 'direct' } });
  return {
    ...envelope(request, answer),
    content,
    ...stopOf(answer),
    usage: usageOf(answer, answer.usage.output),
  };
}

/** Every event by itself, a `ping` among them, as the API sends it. */
export function answerEvents(request: FakeRequest, answer: FullAnswer): string[] {
  const events: string[] = [];
  const send = (type: string, data: object = {}) => {
    events.push(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
  const message = {
    ...envelope(request, answer),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: usageOf(answer, 1),
  };
  send('message_start', { message });
  let index = 0;
  if (answer.thinking !== null) {
    const { thinking, signature, type } = thinkingBlock(request, answer.thinking);
    send('content_block_start', { index, content_block: { type, thinking: '', signature: '' } });
    for (const piece of piecesOf(thinking, 5))
      send('content_block_delta', { index, delta: { type: 'thinking_delta', thinking: piece } });
    send('content_block_delta', { index, delta: { type: 'signature_delta', signature } });
    send('content_block_stop', { index });
    index += 1;
  }
  if (answer.text !== '') {
    send('content_block_start', { index, content_block: { type: 'text', text: '', citations: null } });
    send('ping');
    for (const text of piecesOf(answer.text, 20))
      send('content_block_delta', { index, delta: { type: 'text_delta', text } });
    send('content_block_stop', { index });
    index += 1;
  } else send('ping');
  for (const { id, name, json } of answer.toolCalls) {
    const block = { type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } };
    send('content_block_start', { index, content_block: block });
    // A call without arguments has only the empty piece with which each begins.
    for (const partial_json of ['', ...piecesOf(json === '{}' ? '' : json, 8)])
      send('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json } });
    send('content_block_stop', { index });
    index += 1;
  }
  const usage = countsOf(answer, answer.usage.output);
  send('message_delta', { delta: { ...stopOf(answer), container: null }, usage });
  send('message_stop');
  return events;
}

/** The text is left out unless it was asked for; the signature is there all the same. */
function thinkingBlock(request: FakeRequest, thought: string) {
  const { thinking: asked } = request.body;
  const shown = isRecord(asked) && (asked['display'] === 'summarized' || asked['type'] === 'enabled');
  const thinking = shown ? thought : '';
  return { type: 'thinking', thinking, signature: signatureOf(request.model, thinking) };
}

/** What a thinking block is signed with: it holds for the model and the text. */
export function signatureOf(model: string, thinking: string): string {
  return idOf('sig_', model, thinking);
}

function envelope(request: FakeRequest, answer: FullAnswer): Record<string, unknown> {
  return {
    id: idOf('msg_', seedOf(request.body), answer.text, ...answer.toolCalls.map(({ id }) => id)),
    type: 'message',
    role: 'assistant',
    model: request.model,
    container: null,
    diagnostics: null,
  };
}

function stopOf(answer: FullAnswer): Record<string, unknown> {
  const details =
    answer.stop === 'refusal'
      ? { type: 'refusal', category: 'cyber', explanation: 'The request was declined.' }
      : null;
  return { stop_reason: stopReasons[answer.stop], stop_sequence: null, stop_details: details };
}

/** Here `input_tokens` are those that neither came from the cache nor went into it. */
function countsOf({ usage, thinking }: FullAnswer, output: number) {
  return {
    input_tokens: usage.input - usage.cacheRead - usage.cacheWrite,
    cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
    output_tokens: output,
    output_tokens_details: { thinking_tokens: tokensIn(thinking ?? '') },
    server_tool_use: null,
  };
}

function usageOf(answer: FullAnswer, output: number) {
  const { cacheWrite } = answer.usage;
  return {
    ...countsOf(answer, output),
    cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: 0 },
    service_tier: 'standard',
    inference_geo: null,
    speed: 'standard',
  };
}

/** What is no JSON comes as the text it is: `input` is `unknown` in the client's types, and this is why. */
function valueOf(json: string): unknown {
  if (json === '') return {};
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
