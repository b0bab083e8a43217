import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import OpenAI, { type ClientOptions } from 'openai';
import { type Fake, type FakeOptions, startFake, tokensIn } from './fake.ts';
import {
  call,
  calls,
  closed,
  conversation,
  formatOf,
  list,
  open,
  refusals,
  result,
  user,
} from './openai.cases.ts';

let fake: Fake;
afterEach(async () => {
  await fake.close();
  assert.equal(fake.inAir, 0, 'nothing is left in the air');
});

async function start(options: Partial<FakeOptions> = {}, client: ClientOptions = {}): Promise<OpenAI> {
  fake = await startFake('openai', { answer: () => ({ text: 'hello' }), ...options });
  return new OpenAI({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0, logLevel: 'off', ...client });
}

type Params = OpenAI.ChatCompletionCreateParamsNonStreaming;
const messages: OpenAI.ChatCompletionMessageParam[] = [user];
const body = { model: 'gpt-4.1', messages };

async function refused(client: OpenAI, changes: object, headers: Record<string, string | null> = {}) {
  const made = client.chat.completions.create({ ...body, ...changes } as Params, { headers });
  const error: unknown = await made.then(
    () => assert.fail(`accepted: ${JSON.stringify(changes)}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof OpenAI.APIError, String(error));
  return error;
}

test('plain and streamed answers are the same message', async () => {
  const client = await start({ answer: () => ({ text: 'naïve 🪶 ravens' }) });
  const plain = await client.chat.completions.create(body);
  const deltas: string[] = [];
  const stream = client.chat.completions
    .stream({ ...body, stream_options: { include_usage: true } })
    .on('content', (text) => deltas.push(text));
  const streamed = await stream.finalChatCompletion();
  assert.equal(deltas.join(''), 'naïve 🪶 ravens');
  assert.ok(deltas.length > 1, 'in pieces');
  assert.equal(streamed.choices[0]?.message.content, plain.choices[0]?.message.content);
  assert.deepEqual([streamed.id, streamed.usage], [plain.id, plain.usage]);
  assert.equal(plain.usage?.prompt_tokens, tokensIn('hi'));
  assert.equal(plain.usage?.completion_tokens, tokensIn('naïve 🪶 ravens'));
  assert.equal(plain.choices[0]?.finish_reason, 'stop');
});

test('usage is in a stream only when it was asked for, and then after the last choice', async () => {
  const client = await start();
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true }))
    chunks.push(chunk);
  assert.ok(chunks.every((chunk) => !('usage' in chunk)));
  const counted: OpenAI.ChatCompletionChunk[] = [];
  const options = { stream: true as const, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create({ ...body, ...options }))
    counted.push(chunk);
  assert.deepEqual(counted.at(-1)?.choices, []);
  assert.equal(counted.at(-1)?.usage?.total_tokens, tokensIn('hi') + tokensIn('hello'));
  assert.ok(counted.slice(0, -1).every((chunk) => chunk.usage === null));
});

test('a round of tools: what was called, what it gave, and the request in our own words', async () => {
  const client = await start({
    answer: ({ messages }) =>
      messages.at(-1)?.role === 'tool'
        ? { text: 'two files' }
        : { text: 'let me see', toolCalls: [{ name: 'list', input: { path: 'a "b"' } }, { name: 'list' }] },
  });
  const system = { role: 'system', content: 'be brief' } as const;
  const first = await client.chat.completions
    .stream({ ...body, messages: [system, user], tools: [list] })
    .finalChatCompletion();
  const made = first.choices[0]?.message.tool_calls ?? [];
  assert.equal(first.choices[0]?.finish_reason, 'tool_calls');
  assert.deepEqual(
    made.map((one) => one.type === 'function' && one.function.arguments),
    ['{"path":"a \\"b\\""}', '{}'],
  );
  const plain = await client.chat.completions.create({ ...body, messages: [system, user], tools: [list] });
  const message = plain.choices[0]?.message;
  assert.ok(message);
  assert.deepEqual(
    message.tool_calls?.map(({ id }) => id),
    made.map(({ id }) => id),
    'the same ids, streamed or not',
  );
  const results = made.map(({ id }, at) => ({ role: 'tool' as const, tool_call_id: id, content: `r${at}` }));
  const last = await client.chat.completions.create({
    ...body,
    messages: [system, user, message, ...results],
    tools: [list],
    max_completion_tokens: 50,
    temperature: 0.2,
  });
  assert.equal(last.choices[0]?.message.content, 'two files');
  const request = fake.calls.at(-1)?.request;
  const ids = made.map(({ id }) => id);
  assert.deepEqual(
    [request?.system, request?.tools, request?.maxTokens, request?.temperature, request?.wantsJson],
    ['be brief', ['list'], 50, 0.2, null],
  );
  assert.deepEqual(request?.messages, [
    { role: 'user', text: 'hi' },
    {
      role: 'assistant',
      text: 'let me see',
      toolCalls: [
        { id: ids[0], name: 'list', input: { path: 'a "b"' } },
        { id: ids[1], name: 'list', input: {} },
      ],
    },
    { role: 'tool', text: 'r0', toolCallId: ids[0], toolName: 'list', isError: false },
    { role: 'tool', text: 'r1', toolCallId: ids[1], toolName: 'list', isError: false },
  ]);
});

test('an answer ends where the tokens do', async () => {
  const client = await start({ answer: () => ({ text: 'x'.repeat(100) }) });
  const { choices, usage } = await client.chat.completions.create({ ...body, max_completion_tokens: 3 });
  assert.deepEqual(
    [choices[0]?.message.content, choices[0]?.finish_reason, usage?.completion_tokens],
    ['x'.repeat(12), 'length', 3],
  );
});

test('JSON of a schema', async () => {
  const client = await start({
    answer: ({ wantsJson }) => ({ text: JSON.stringify({ a: typeof wantsJson }) }),
  });
  const { choices } = await client.chat.completions.parse({ ...body, ...formatOf(closed) } as Params);
  assert.deepEqual(choices[0]?.message.content, '{"a":"object"}');
});

test('what the API refuses is refused in its words, with its status and its codes', async () => {
  const client = await start({ models: { small: { context: 1000 } } });
  for (const [name, changes, status, code, param, says] of refusals) {
    const error = await refused(client, changes);
    assert.deepEqual(
      [error.status, error.code, error.param],
      [status, code, param],
      `${name}: ${error.message}`,
    );
    assert.match(error.message, says, name);
    assert.equal(error.type, 'invalid_request_error', name);
    assert.match(error.requestID ?? '', /^req_/, name);
  }
  assert.equal(fake.calls.length, 0);
  assert.equal(fake.refused.length, refusals.length);
});

test('what looks like a refusal and is none', async () => {
  const client = await start({ answer: ({ wantsJson }) => ({ text: wantsJson ? '{}' : 'hello' }) });
  const accepted: object[] = [
    { messages: [user, user, { role: 'assistant', content: '' }] },
    conversation(calls(call(), call('c2')), result('c2'), result()),
    { model: 'gpt-5.5', temperature: 0.2, reasoning_effort: 'none', tools: [list] },
    { model: 'gpt-6.1-sol', reasoning_effort: 'none', tools: [list], temperature: 1 },
    { model: 'gpt-5-mini', tools: [list], max_completion_tokens: 10 },
    {
      messages: [{ role: 'developer', content: 'JSON please' }, user],
      response_format: { type: 'json_object' },
    },
    formatOf(open, { strict: false }),
  ];
  for (const changes of accepted) await client.chat.completions.create({ ...body, ...changes } as Params);
  assert.equal(fake.calls.length, accepted.length);
});

test('keys and paths', async () => {
  const client = await start();
  const none = await refused(client, {}, { authorization: null });
  assert.deepEqual([none.status, none.code, none.constructor.name], [401, null, 'AuthenticationError']);
  const other = await refused(client, {}, { authorization: 'Bearer sk-secret-1234' });
  assert.deepEqual([other.status, other.code], [401, 'invalid_api_key']);
  assert.ok(!other.message.includes('secret'), 'the key is not repeated');
  const elsewhere = new OpenAI({ baseURL: fake.url.replace('/v1', ''), apiKey: 'fake-key', maxRetries: 0 });
  assert.equal((await refused(elsewhere, {})).status, 404);
});

test('a refusal has words or is the content filter', async () => {
  const client = await start();
  fake.fail({ fault: 'refusal', text: 'I cannot help with that.' }, { fault: 'refusal' });
  const said = (await client.chat.completions.create(body)).choices[0];
  assert.deepEqual(
    [said?.message.refusal, said?.message.content, said?.finish_reason],
    ['I cannot help with that.', null, 'stop'],
  );
  const filtered = (await client.chat.completions.create(body)).choices[0];
  assert.deepEqual([filtered?.message.refusal, filtered?.finish_reason], [null, 'content_filter']);
  fake.fail({ fault: 'refusal', text: 'I cannot help with that.' });
  const streamed = (await client.chat.completions.stream(body).finalChatCompletion()).choices[0];
  assert.deepEqual([streamed?.message.refusal, streamed?.message.content], ['I cannot help with that.', '']);
});
