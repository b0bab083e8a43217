/**
 * A small try of each provider that is really there: a call with a tool, and one that answers with JSON. It costs a
 * fraction of a cent. Providers without a key, or an Ollama that nobody hears, are left out, and that is said.
 */
import { z } from 'zod';
import { asFailure } from '#chassis/failures.ts';
import type { Model, ModelRequest, Turn } from './model.ts';
import { type ModelRef, type Models, openModels } from './open-models.ts';
import { answerSchema, parseAnswer } from './structured.ts';

const TIMEOUT_MS = 120_000;
const Sum = z.strictObject({ sum: z.number() });
const add = {
  name: 'add',
  description: 'Adds two whole numbers and gives the sum.',
  parameters: {
    type: 'object',
    properties: { a: { type: 'integer' }, b: { type: 'integer' } },
    required: ['a', 'b'],
    additionalProperties: false,
  },
};

const request = (changes: Partial<ModelRequest>): ModelRequest => ({
  system: 'You are part of a test. Be brief.',
  messages: [],
  tools: [],
  answer: null,
  temperature: 0,
  maxOutputTokens: 1000,
  payOnce: false,
  ...changes,
});

async function callWithTool(model: Model): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const messages: Turn[] = [
    { role: 'user', text: 'What is 20417 + 21583? Use the tool add, then say the sum.' },
  ];
  const first = await model.call(request({ messages, tools: [add] }), signal);
  const [call] = first.tool_calls;
  if (first.stop_reason !== 'tool_use' || call === undefined)
    throw new Error(
      `found ${first.stop_reason} and ${first.tool_calls.length} calls, expected a call of add`,
    );
  messages.push({ role: 'assistant', text: first.text, tool_calls: first.tool_calls });
  for (const { id, tool } of first.tool_calls)
    messages.push({ role: 'tool', call_id: id, tool, ok: true, output: '42000', code: '', message: '' });
  const second = await model.call(request({ messages, tools: [add] }), signal);
  if (!/42[,. ]?000/.test(second.text)) throw new Error(`found ${second.text}, expected 42000`);
  return `${call.tool}(${call.arguments})`;
}

async function callForJson(model: Model): Promise<string> {
  const messages: Turn[] = [{ role: 'user', text: 'What is 19 + 23? Answer with JSON.' }];
  const answer = await model.call(
    request({ messages, answer: answerSchema('sum', Sum) }),
    AbortSignal.timeout(TIMEOUT_MS),
  );
  const read = parseAnswer(answer.text, Sum);
  if (!read.ok) throw new Error(read.problems.join('; '));
  if (read.value.sum !== 42) throw new Error(`found ${read.value.sum}, expected 42`);
  return answer.text.replaceAll(/\s+/g, ' ');
}

/** Why a provider cannot be tried; null when it can. Of Ollama: the model that it has. */
async function available(models: Models, ref: ModelRef, ollamaHost: string): Promise<string | null> {
  const missing = models.missing(ref.provider);
  if (missing !== null || ref.provider !== 'ollama') return missing;
  try {
    const response = await fetch(new URL('/api/tags', ollamaHost), { signal: AbortSignal.timeout(2_000) });
    const { models: pulled } = z
      .object({ models: z.array(z.object({ name: z.string() })) })
      .parse(await response.json());
    const is = ({ name }: { name: string }): boolean => name === ref.name || name === `${ref.name}:latest`;
    return pulled.some(is) ? null : `Ollama is there and has no ${ref.name}: ollama pull ${ref.name}`;
  } catch {
    return `no Ollama at ${ollamaHost}`;
  }
}

const wanted: readonly ModelRef[] = [
  { provider: 'anthropic', name: 'claude-haiku-5-5' },
  { provider: 'openai', name: 'gpt-6-luna' },
  { provider: 'ollama', name: 'llama3.1' },
];

/** Tries each provider that is there; gives the models (`provider/name`) that did all that was asked. */
export async function tryProviders(
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<{ readonly there: readonly string[]; readonly failed: number }> {
  const models = openModels(env, { info() {}, warn() {} });
  const host = env['OLLAMA_HOST'] || 'http://127.0.0.1:11434';
  const there: string[] = [];
  let failed = 0;
  for (const ref of wanted) {
    const who = `${ref.provider}/${ref.name}`;
    const why = await available(models, ref, host.includes('://') ? host : `http://${host}`);
    if (why !== null) {
      say(`skipped  ${who}: ${why}`);
      continue;
    }
    there.push(who);
    const model = models.model(ref);
    for (const [what, attempt] of [
      ['tool', callWithTool],
      ['json', callForJson],
    ] as const) {
      try {
        say(`ok       ${who} ${what}: ${await attempt(model)}`);
      } catch (error) {
        failed += 1;
        const { code, message } = asFailure(error);
        say(`FAILED   ${who} ${what}: ${code}: ${message}`);
      }
    }
  }
  return { there, failed };
}
