import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { factsOf } from './capabilities.ts';
import { fitted } from './fit.ts';
import type { ModelRequest } from './model.ts';
import { answerSchema, jsonInstruction, parseAnswer } from './structured.ts';

const Plan = z.strictObject({ tasks: z.array(z.strictObject({ id: z.string().min(1) })).min(1) });
const schema = answerSchema('plan', Plan);

const request: ModelRequest = {
  system: 'You plan.',
  messages: [{ role: 'user', text: 'Plan it.' }],
  tools: [],
  answer: schema,
  temperature: 0.2,
  maxOutputTokens: 1_000_000,
  payOnce: false,
};
const tool = { name: 'list', description: 'Lists.', parameters: { type: 'object' } };

for (const [what, text] of [
  ['plain', '{"tasks":[{"id":"a"}]}'],
  ['in a fence', '```json\n{"tasks":[{"id":"a"}]}\n```'],
  ['in a fence without a name, and space around', '\n```\n{"tasks":\n[{"id":"a"}]}```\n'],
] as const) {
  test(`JSON ${what} is read`, () => {
    assert.deepEqual(parseAnswer(text, Plan), { ok: true, value: { tasks: [{ id: 'a' }] } });
  });
}

for (const [what, text, problems] of [
  ['no JSON', 'Sure! Here it is: {', [/^found text that is not JSON .*expected one JSON document$/]],
  ['words around a fence', 'Here:\n```json\n{}\n```', [/^found text that is not JSON/]],
  ['a part missing', '{}', [/^tasks: /]],
  [
    'several parts wrong',
    '{"tasks":[{"id":""},{"id":1}],"more":1}',
    [/^tasks\.0\.id: /, /^tasks\.1\.id: /, /more/],
  ],
  ['something else than an object', '[]', [/^the answer: /]],
] as const) {
  test(`${what}: told in words that it can be mended by`, () => {
    const read = parseAnswer(text, Plan);
    assert.ok(!read.ok);
    assert.equal(read.problems.length, problems.length, read.problems.join('; '));
    for (const [index, problem] of problems.entries()) assert.match(read.problems[index] ?? '', problem);
  });
}

test('a request is made to fit: output, temperature', () => {
  const facts = factsOf('anthropic', 'claude-sonnet-5-5');
  const fit = fitted(request, facts, 'x');
  assert.equal(fit.maxOutputTokens, 128_000);
  assert.equal(fit.temperature, null);
  assert.equal(fit.answer, schema);
  assert.equal(fitted({ ...request, maxOutputTokens: 5 }, facts, 'x').maxOutputTokens, 5);
  assert.equal(fitted(request, factsOf('ollama', 'llama3.1'), 'x').temperature, 0.2);
});

test('a model that cannot be bound to JSON is told what is wanted', () => {
  const facts = factsOf('ollama', 'llama3.1');
  const unbound = { ...facts, capabilities: { ...facts.capabilities, json: false } };
  const fit = fitted(request, unbound, 'x');
  assert.equal(fit.answer, null);
  assert.equal(fit.system, `You plan.\n\n${jsonInstruction(schema)}`);
  assert.match(fit.system, /"required":\["tasks"\]/);
});

test('tools for a model that takes none are refused before anything is sent', () => {
  assert.throws(() => fitted({ ...request, tools: [tool] }, factsOf('ollama', 'gemma2'), 'ollama/gemma2'), {
    code: 'model_incapable',
    message: /^ollama\/gemma2: found 1 tools/,
  });
});

test('a request that is surely too long is refused before anything is sent; one that may fit is not', () => {
  const facts = factsOf('ollama', 'gemma2');
  const of = (length: number): ModelRequest => ({
    ...request,
    messages: [{ role: 'user', text: 'x'.repeat(length) }],
  });
  assert.throws(() => fitted(of(80_000), facts, 'x'), { code: 'context_too_long', message: /at most 8192/ });
  assert.ok(fitted(of(40_000), facts, 'x'));
});
