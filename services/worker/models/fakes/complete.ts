import type { Dialect, FakeAnswer, FakeUsage, FullAnswer, Read } from './dialect.ts';
import type { Fault } from './faults.ts';
import { firstTokens, seedOf, tokensIn } from './tokens.ts';

type Call = FullAnswer['toolCalls'][number];

/**
 * An answer with its ids, its stop and its usage, after the fault that concerns what the model says, and cut off
 * where `maxTokens` ends. Throws for an answer that the provider could not give: a fault is the way to mean one.
 */
export function complete(
  dialect: Dialect,
  read: Read & { kind: 'chat' },
  given: FakeAnswer,
  fault: Fault | null,
): FullAnswer {
  const { request } = read;
  const answer = spoilt(given, fault, request.tools);
  const asked = answer.toolCalls ?? [];
  if (asked.length > 0 && request.tools.length === 0)
    throw new Error(`the answer calls ${asked[0]?.name}, but the request has no tools`);
  const seed = seedOf(request.body);
  const calls = asked.map((call, index) => ({
    id: call.id ?? dialect.toolCallId(`${seed}${index}`),
    name: call.name,
    json: call.json ?? JSON.stringify(call.input ?? {}),
  }));
  const refusal = answer.stop === 'refusal';
  const cut = cutAt({ text: answer.text ?? '', calls }, request.maxTokens ?? Number.MAX_SAFE_INTEGER);
  const stop = cut.short ? 'length' : (answer.stop ?? (calls.length > 0 ? 'tool_use' : 'end'));
  if (request.wantsJson && calls.length === 0 && stop === 'end' && fault?.fault !== 'not_json')
    mustBeJson(cut.text);
  const charged = read.charge();
  const counted: FakeUsage = { ...charged, output: outputTokens(cut) + tokensIn(answer.thinking ?? '') };
  const thinking = refusal ? null : (answer.thinking ?? (dialect.thinks(request) ? '' : null));
  return { text: cut.text, thinking, toolCalls: cut.calls, stop, usage: { ...counted, ...answer.usage } };
}

/** Tokens of an answer: of its text, and of the name and the arguments of each tool call; at least one. */
export function outputTokens(answer: { readonly text: string; readonly calls: readonly Call[] }): number {
  const calls = answer.calls.reduce((sum, call) => sum + tokensIn(call.name) + tokensIn(call.json), 0);
  return Math.max(1, tokensIn(answer.text) + calls);
}

function spoilt(answer: FakeAnswer, fault: Fault | null, tools: readonly string[]): FakeAnswer {
  switch (fault?.fault) {
    case 'arguments': {
      const calls = answer.toolCalls?.length ? answer.toolCalls : [{ name: tools[0] ?? 'tool', input: {} }];
      return { ...answer, toolCalls: calls.map((call) => ({ ...call, json: fault.raw })) };
    }
    case 'refusal':
      return { text: fault.text ?? '', stop: 'refusal' };
    case 'not_json':
      return { text: fault.text ?? 'Sure! Here is the JSON: {"answer": ' };
    default:
      return answer;
  }
}

/** A model that reaches its limit stops in the middle of a word, or of the arguments of a call. */
function cutAt(
  answer: { readonly text: string; readonly calls: readonly Call[] },
  most: number,
): { text: string; calls: Call[]; short: boolean } {
  if (outputTokens(answer) <= most) return { text: answer.text, calls: [...answer.calls], short: false };
  const text = firstTokens(answer.text, most);
  let left = most - tokensIn(text);
  const calls: Call[] = [];
  for (const call of answer.calls) {
    left -= tokensIn(call.name);
    if (left <= 0) break;
    const json = firstTokens(call.json, left);
    left -= tokensIn(json);
    calls.push({ ...call, json });
  }
  return { text, calls, short: true };
}

function mustBeJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new Error(
      `JSON was asked for and the answer is none: ${text.slice(0, 80)}. Use the fault \`not_json\` to mean it`,
    );
  }
}
