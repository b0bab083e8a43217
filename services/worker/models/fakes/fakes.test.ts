import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { type Fake, type FakeOptions, type Provider, startFake } from './fake.ts';

const running: Fake[] = [];
afterEach(async () => {
  for (const fake of running.splice(0)) {
    await fake.close();
    assert.equal(fake.inAir, 0, 'nothing is left in the air');
  }
});
async function start(provider: Provider, options: Partial<FakeOptions> = {}): Promise<Fake> {
  const fake = await startFake(provider, { answer: () => ({ text: 'hello' }), ...options });
  running.push(fake);
  return fake;
}
const anthropic = (fake: Fake) => new Anthropic({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0 });
const openai = (fake: Fake) => new OpenAI({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0 });
const user = { role: 'user' as const, content: 'hi' };

test('Anthropic: plain, streamed and with tools', async () => {
  const fake = await start('anthropic', {
    answer: (request) =>
      request.messages.at(-1)?.role === 'tool'
        ? { text: `done: ${request.messages.at(-1)?.text}` }
        : request.tools.length > 0
          ? { text: 'let me see', toolCalls: [{ name: 'list', input: { path: '.' } }] }
          : { text: 'hello' },
  });
  const client = anthropic(fake);
  const base = { model: 'claude-sonnet-5-5', max_tokens: 100, messages: [user] };
  const plain = await client.messages.create(base);
  assert.deepEqual(plain.content, [{ type: 'text', text: 'hello', citations: null }]);
  const tools = [{ name: 'list', input_schema: { type: 'object' as const } }];
  const first = await client.messages.stream({ ...base, tools }).finalMessage();
  assert.equal(first.stop_reason, 'tool_use');
  const call = first.content[1];
  assert.ok(call?.type === 'tool_use');
  assert.deepEqual(call.input, { path: '.' });
  const result = { type: 'tool_result' as const, tool_use_id: call.id, content: 'a.txt' };
  const second = await client.messages.create({
    ...base,
    tools,
    messages: [
      user,
      { role: 'assistant', content: [{ type: 'text', text: 'let me see' }, call] },
      { role: 'user', content: [result] },
    ],
  });
  assert.ok(second.content[0]?.type === 'text' && second.content[0].text === 'done: a.txt');
  assert.equal(fake.calls.length, 3);
});

test('OpenAI: plain, streamed and with tools', async () => {
  const fake = await start('openai', {
    answer: ({ tools }) =>
      tools.length > 0 ? { toolCalls: [{ name: 'list', input: { path: '.' } }] } : { text: 'hello' },
  });
  const client = openai(fake);
  const base = { model: 'gpt-4.1', messages: [user] };
  assert.equal((await client.chat.completions.create(base)).choices[0]?.message.content, 'hello');
  const tools = [{ type: 'function' as const, function: { name: 'list', parameters: { type: 'object' } } }];
  const stream = client.chat.completions.stream({ ...base, tools, stream_options: { include_usage: true } });
  const last = await stream.finalChatCompletion();
  assert.equal(last.choices[0]?.finish_reason, 'tool_calls');
  const call = last.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === 'function' && call.function.arguments === '{"path":"."}');
  assert.deepEqual(
    last.usage?.total_tokens,
    (fake.calls[1]?.usage?.input ?? 0) + (fake.calls[1]?.usage?.output ?? 0),
  );
});

test('Ollama: plain, streamed and with tools', async () => {
  const fake = await start('ollama', {
    answer: ({ tools }) =>
      tools.length > 0 ? { toolCalls: [{ name: 'list', input: { path: '.' } }] } : { text: 'hello' },
  });
  const client = new Ollama({ host: fake.url });
  assert.equal((await client.chat({ model: 'llama3.1', messages: [user] })).message.content, 'hello');
  let text = '';
  for await (const part of await client.chat({ model: 'llama3.1', messages: [user], stream: true }))
    text += part.message.content;
  assert.equal(text, 'hello');
  const tools = [{ type: 'function', function: { name: 'list', parameters: { type: 'object' } } }];
  const called = await client.chat({ model: 'llama3.1', messages: [user], tools });
  assert.deepEqual(called.message.tool_calls?.[0]?.function.arguments, { path: '.' });
});

test('statuses come as the clients know them', async () => {
  const one = await start('anthropic');
  for (const [status, name] of [
    [401, 'AuthenticationError'],
    [429, 'RateLimitError'],
    [529, 'OverloadedError'],
    [500, 'InternalServerError'],
  ] as const) {
    one.fail({ fault: 'status', status, retryAfter: { seconds: 3 } });
    const call = anthropic(one).messages.create({
      model: 'claude-haiku-5-5',
      max_tokens: 9,
      messages: [user],
    });
    await assert.rejects(
      call,
      (error) =>
        error instanceof Anthropic.APIError &&
        error.constructor.name === name &&
        error.headers?.get('retry-after') === '3',
    );
  }
  const two = await start('openai');
  two.fail({ fault: 'status', status: 429 });
  await assert.rejects(
    openai(two).chat.completions.create({ model: 'gpt-4.1', messages: [user] }),
    OpenAI.RateLimitError,
  );
});
