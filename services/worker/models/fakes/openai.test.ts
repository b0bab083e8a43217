import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import OpenAI, { type ClientOptions } from 'openai';
import { type Fake, type FakeOptions, startFake, tokensIn } from './fake.ts';

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
const user = { role: 'user', content: 'hi' } as const;
const messages: OpenAI.ChatCompletionMessageParam[] = [user];
const body = { model: 'gpt-4.1', messages };
const list = { type: 'function' as const, function: { name: 'list', parameters: { type: 'object' } } };
const call = (id = 'c1', args = '{}') =>
  ({ id, type: 'function', function: { name: 'list', arguments: args } }) as const;
const calls = (...tool_calls: object[]) => ({ role: 'assistant', content: null, tool_calls });
const result = (id = 'c1') => ({ role: 'tool', tool_call_id: id, content: 'a.txt' });
const conversation = (...messages: object[]) => ({ tools: [list], messages: [user, ...messages] });

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

const open = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const closed = { ...open, additionalProperties: false };
const formatOf = (schema: unknown, changes: object = {}) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'plan', strict: true, schema, ...changes } },
});

test('JSON of a schema', async () => {
  const client = await start({
    answer: ({ wantsJson }) => ({ text: JSON.stringify({ a: typeof wantsJson }) }),
  });
  const { choices } = await client.chat.completions.parse({ ...body, ...formatOf(closed) } as Params);
  assert.deepEqual(choices[0]?.message.content, '{"a":"object"}');
});

const named = (name: string) => ({ tools: [{ ...list, function: { ...list.function, name } }] });

/** Each refusal: what is sent instead, the status, code and parameter, and what the message says. */
const refusals: readonly (readonly [string, object, number, string | null, string | null, RegExp])[] = [
  [
    'an unknown model',
    { model: 'gpt-nobody' },
    404,
    'model_not_found',
    null,
    /The model `gpt-nobody` does not exist/,
  ],
  [
    'no model',
    { model: undefined },
    400,
    'missing_required_parameter',
    'model',
    /Missing required parameter: 'model'/,
  ],
  ['no messages', { messages: undefined }, 400, 'missing_required_parameter', 'messages', /Missing required/],
  [
    'an empty list of messages',
    { messages: [] },
    400,
    'array_below_min_length',
    'messages',
    /array too short/,
  ],
  [
    'an unknown field',
    { max_output_tokens: 1 },
    400,
    'unknown_parameter',
    'max_output_tokens',
    /Unknown parameter/,
  ],
  [
    'an unknown field in a message',
    { messages: [{ ...user, foo: 1 }] },
    400,
    'unknown_parameter',
    'messages[0].foo',
    /Unknown parameter/,
  ],
  [
    'a role that does not exist',
    { messages: [{ role: 'robot', content: 'x' }] },
    400,
    'invalid_value',
    'messages[0].role',
    /Invalid value/,
  ],
  [
    'a temperature as text',
    { temperature: 'hot' },
    400,
    'invalid_type',
    'temperature',
    /expected a decimal, but got a string/,
  ],
  [
    'a temperature over 2',
    { temperature: 2.5 },
    400,
    'decimal_above_max_value',
    'temperature',
    /Expected a value <= 2, but got 2.5/,
  ],
  [
    'a temperature for a model that takes none',
    { model: 'gpt-5-mini', temperature: 0.2 },
    400,
    'unsupported_value',
    'temperature',
    /does not support 0.2 with this model/,
  ],
  [
    'a temperature while it reasons',
    { model: 'gpt-5.5', temperature: 0.2 },
    400,
    'unsupported_value',
    'temperature',
    /Only the default/,
  ],
  [
    'max_tokens of a model that reasons',
    { model: 'gpt-5-mini', max_tokens: 10 },
    400,
    'unsupported_parameter',
    'max_tokens',
    /Use 'max_completion_tokens'/,
  ],
  [
    'too many tokens',
    { model: 'gpt-4o', max_completion_tokens: 16_385 },
    400,
    'invalid_value',
    'max_completion_tokens',
    /supports at most 16384/,
  ],
  [
    'no tokens',
    { max_completion_tokens: 0 },
    400,
    'integer_below_min_value',
    'max_completion_tokens',
    /below minimum/,
  ],
  [
    'an effort of a model that does not reason',
    { reasoning_effort: 'low' },
    400,
    null,
    null,
    /Unrecognized request argument supplied: reasoning_effort/,
  ],
  [
    'stream options without a stream',
    { stream_options: { include_usage: true } },
    400,
    null,
    'stream_options',
    /only allowed when 'stream'/,
  ],
  [
    'tools while it reasons',
    { model: 'gpt-5.5', tools: [list], reasoning_effort: 'low' },
    400,
    null,
    'reasoning_effort',
    /Function tools with reasoning_effort are not supported/,
  ],
  [
    'tools without saying no to reasoning',
    { model: 'gpt-6.1-sol', tools: [list] },
    400,
    null,
    'reasoning_effort',
    /set reasoning_effort to 'none'/,
  ],
  ['an empty list of tools', { tools: [] }, 400, 'array_below_min_length', 'tools', /array too short/],
  [
    'a tool name with a dot',
    named('a.b'),
    400,
    'invalid_value',
    'tools[0].function.name',
    /does not match pattern/,
  ],
  [
    'a tool name that is too long',
    named('a'.repeat(65)),
    400,
    'string_above_max_length',
    'tools[0].function.name',
    /maximum length 64/,
  ],
  [
    'parameters that are not of an object',
    { tools: [{ ...list, function: { name: 'list', parameters: { type: 'string' } } }] },
    400,
    'invalid_function_parameters',
    'tools[0].function.parameters',
    /got 'type: "string"'/,
  ],
  [
    'strict parameters that are open',
    { tools: [{ ...list, function: { name: 'list', strict: true, parameters: open } }] },
    400,
    'invalid_function_parameters',
    'tools[0].function.parameters',
    /'additionalProperties' is required/,
  ],
  [
    'a choice without tools',
    { tool_choice: 'auto' },
    400,
    null,
    'tool_choice',
    /only allowed when 'tools' are specified/,
  ],
  [
    'a choice of no tool',
    { tools: [list], tool_choice: { type: 'function', function: { name: 'x' } } },
    400,
    null,
    'tool_choice',
    /no function named 'x'/,
  ],
  [
    'parallel calls without tools',
    { parallel_tool_calls: false },
    400,
    null,
    'parallel_tool_calls',
    /only allowed when/,
  ],
  [
    'a call without its result',
    conversation(calls(call()), user),
    400,
    null,
    'messages.[2].role',
    /did not have response messages: c1/,
  ],
  [
    'a call that never gets its result',
    conversation(calls(call()), user, calls(call('c2')), result('c2')),
    400,
    null,
    'messages.[2].role',
    /did not have response messages: c1/,
  ],
  [
    'a call at the end',
    conversation(calls(call())),
    400,
    null,
    'messages.[2].role',
    /did not have response messages: c1/,
  ],
  [
    'one result of two',
    conversation(calls(call(), call('c2')), result(), user),
    400,
    null,
    'messages.[2].role',
    /messages: c2/,
  ],
  [
    'a result without a call',
    conversation(result()),
    400,
    null,
    'messages.[1].role',
    /must be a response to a preceeding message/,
  ],
  [
    'a result of another call',
    conversation(calls(call()), result('c9')),
    400,
    null,
    'messages.[2].tool_call_id',
    /'c9' not found/,
  ],
  [
    'arguments that are no text',
    conversation(calls({ ...call(), function: { name: 'list', arguments: {} } }), result()),
    400,
    'invalid_type',
    'messages[1].tool_calls[0].function.arguments',
    /expected a string, but got an object/,
  ],
  [
    'an assistant without content',
    { messages: [user, { role: 'assistant', content: null }, user] },
    400,
    null,
    'messages.[1].content',
    /expected a string, got null/,
  ],
  [
    'JSON without the word',
    { response_format: { type: 'json_object' } },
    400,
    null,
    'messages',
    /must contain the word 'json'/,
  ],
  [
    'a schema that is open',
    formatOf(open),
    400,
    null,
    'response_format',
    /In context=\(\), 'additionalProperties' is required/,
  ],
  [
    'a schema with an optional key',
    formatOf({ ...closed, required: [] }),
    400,
    null,
    'response_format',
    /Missing 'a'/,
  ],
  [
    'a schema that is not of an object',
    formatOf({ type: 'array', items: { type: 'string' } }),
    400,
    null,
    'response_format',
    /got 'type: "array"'/,
  ],
  [
    'a format without a name',
    formatOf(closed, { name: undefined }),
    400,
    'missing_required_parameter',
    'response_format.json_schema.name',
    /Missing required/,
  ],
  [
    'an unknown format',
    { response_format: { type: 'yaml' } },
    400,
    'invalid_value',
    'response_format.type',
    /Invalid value/,
  ],
  [
    'a prompt that is too long',
    { model: 'small', messages: [{ role: 'user', content: 'x'.repeat(4004) }] },
    400,
    'context_length_exceeded',
    'messages',
    /maximum context length is 1000 tokens. However, your messages resulted in 1001/,
  ],
  [
    'a prompt that leaves no room',
    { model: 'small', max_completion_tokens: 100, messages: [{ role: 'user', content: 'x'.repeat(3800) }] },
    400,
    'context_length_exceeded',
    'messages',
    /950 in the messages, 100 in the completion/,
  ],
];

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
