import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type ChatRequest, type ChatResponse, Ollama } from 'ollama';
import { type Fake, type FakeOptions, startFake, tokensIn } from './fake.ts';

let fake: Fake;
afterEach(async () => {
  await fake.close();
  assert.equal(fake.inAir, 0, 'nothing is left in the air');
});

async function start(options: Partial<FakeOptions> = {}): Promise<Ollama> {
  fake = await startFake('ollama', { answer: () => ({ text: 'hello' }), ...options });
  return new Ollama({ host: fake.url });
}

type Request = ChatRequest & { stream?: false };
const user = { role: 'user', content: 'hi' };
const body: Request = { model: 'llama3.1', messages: [user] };
const list = {
  type: 'function',
  function: { name: 'list', description: 'files', parameters: { type: 'object' } },
};
const called = {
  role: 'assistant',
  content: '',
  tool_calls: [{ function: { name: 'list', arguments: {} } }],
};

async function refused(client: Ollama, changes: object): Promise<{ status: number; message: string }> {
  const error: unknown = await client.chat({ ...body, ...changes } as Request).then(
    () => assert.fail(`accepted: ${JSON.stringify(changes)}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Error && 'status_code' in error, String(error));
  return { status: Number(error.status_code), message: error.message };
}

async function streamed(client: Ollama, changes: object = {}): Promise<ChatResponse[]> {
  const parts: ChatResponse[] = [];
  const request = { ...body, ...changes, stream: true } as ChatRequest & { stream: true };
  for await (const part of await client.chat(request)) parts.push(part);
  return parts;
}

test('plain and streamed answers are the same message', async () => {
  const client = await start({ answer: () => ({ text: 'naïve 🪶 ravens' }) });
  const plain = await client.chat(body);
  const parts = await streamed(client);
  assert.equal(plain.message.content, 'naïve 🪶 ravens');
  assert.equal(parts.map(({ message }) => message.content).join(''), 'naïve 🪶 ravens');
  assert.ok(parts.length > 2, 'in pieces');
  const counts = (response: ChatResponse | undefined) => [
    response?.done,
    response?.done_reason,
    response?.prompt_eval_count,
    response?.eval_count,
  ];
  assert.deepEqual(counts(plain), [true, 'stop', tokensIn('hi'), tokensIn('naïve 🪶 ravens')]);
  assert.deepEqual(counts(parts.at(-1)), counts(plain));
  assert.ok(parts.slice(0, -1).every(({ done, eval_count: count }) => !done && count === undefined));
});

test('a round of tools: what was called, what it gave, and the request in our own words', async () => {
  const client = await start({
    answer: ({ messages }) =>
      messages.at(-1)?.role === 'tool'
        ? { text: 'two files' }
        : { toolCalls: [{ name: 'list', input: { path: 'a' } }, { name: 'list' }] },
  });
  const first = await client.chat({ ...body, tools: [list] });
  const parts = await streamed(client, { tools: [list] });
  assert.deepEqual(
    first.message.tool_calls?.map((call) => call.function.arguments),
    [{ path: 'a' }, {}],
  );
  assert.deepEqual(
    parts.flatMap(({ message }) => message.tool_calls ?? []),
    first.message.tool_calls,
  );
  const results = ['r0', 'r1'].map((content) => ({ role: 'tool', content, tool_name: 'list' }));
  const system = { role: 'system', content: 'be brief' };
  const options = { temperature: 0.2, num_predict: 50 };
  const last = await client.chat({
    ...body,
    messages: [system, user, first.message, ...results],
    tools: [list],
    options,
  });
  assert.equal(last.message.content, 'two files');
  const request = fake.calls.at(-1)?.request;
  assert.deepEqual(
    [request?.system, request?.tools, request?.maxTokens, request?.temperature, request?.stream],
    ['be brief', ['list'], 50, 0.2, false],
  );
  assert.deepEqual(request?.messages.slice(2), [
    { role: 'tool', text: 'r0', toolCallId: null, toolName: 'list', isError: false },
    { role: 'tool', text: 'r1', toolCallId: null, toolName: 'list', isError: false },
  ]);
});

test('JSON of a schema, and JSON of any kind', async () => {
  const client = await start({ answer: ({ wantsJson }) => ({ text: JSON.stringify(wantsJson) }) });
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  assert.equal((await client.chat({ ...body, format: schema })).message.content, JSON.stringify(schema));
  assert.equal((await client.chat({ ...body, format: 'json' })).message.content, '{"type":"object"}');
});

test('an answer ends where num_predict does, and says so', async () => {
  const client = await start({ answer: () => ({ text: 'x'.repeat(100) }) });
  const answer = await client.chat({ ...body, options: { num_predict: 3 } });
  assert.deepEqual(
    [answer.message.content, answer.done_reason, answer.eval_count],
    ['x'.repeat(12), 'length', 3],
  );
});

const tool = (changes: object) => ({ tools: [{ ...list, function: { ...list.function, ...changes } }] });

/** Each refusal: what is sent instead, the status, and what the message says. */
const refusals: readonly (readonly [string, object, number, RegExp])[] = [
  ['an unknown model', { model: 'nobody' }, 404, /^model 'nobody' not found$/],
  ['an unknown tag', { model: 'llama3.1:405b' }, 404, /^model 'llama3.1:405b' not found$/],
  ['no model', { model: '' }, 400, /^model is required$/],
  ['tools for a model without', { model: 'gemma2', tools: [list] }, 400, /^"gemma2" does not support tools$/],
  ['thinking for a model without', { think: true }, 400, /^"llama3.1" does not support thinking$/],
  [
    'a result that does not name its tool',
    { messages: [user, called, { role: 'tool', content: 'x' }] },
    400,
    /messages\.2\.tool_name is required/,
  ],
  ['an unknown field', { temperature: 0.2 }, 400, /unknown field "temperature"/],
  ['an unknown option', { options: { max_tokens: 1 } }, 400, /unknown field "options.max_tokens"/],
  [
    'an option of the wrong type',
    { options: { temperature: 'hot' } },
    400,
    /option "temperature" must be of type number/,
  ],
  ['a role that does not exist', { messages: [{ role: 'robot', content: 'x' }] }, 400, /messages\.0\.role/],
  [
    'content that is no text',
    { messages: [{ role: 'user', content: null }] },
    400,
    /cannot unmarshal null into Go struct field ChatRequest.messages.0.content/,
  ],
  [
    'arguments as text',
    { messages: [user, { ...called, tool_calls: [{ function: { name: 'list', arguments: '{}' } }] }] },
    400,
    /cannot unmarshal string into Go struct field ChatRequest.messages.1.tool_calls.0.function.arguments/,
  ],
  ['a tool without a name', tool({ name: '' }), 400, /tools\.0\.function\.name/],
  [
    'parameters that are not of an object',
    tool({ parameters: { type: 'string' } }),
    400,
    /tools\.0\.function\.parameters\.type/,
  ],
  ['an unknown format', { format: 'yaml' }, 400, /format/],
  ['a schema that is not of an object', { format: { type: 'array' } }, 400, /schema has to be of an object/],
  [
    'a prompt that is too long and may not be cut',
    { truncate: false, options: { num_ctx: 10 }, messages: [{ role: 'user', content: 'x'.repeat(44) }] },
    400,
    /^the input length exceeds the context length$/,
  ],
];

test('what the server refuses is refused in its words', async () => {
  const client = await start();
  for (const [name, changes, status, says] of refusals) {
    const error = await refused(client, changes);
    assert.equal(error.status, status, name);
    assert.match(error.message, says, name);
  }
  assert.equal(fake.calls.length, 0);
  assert.equal(fake.refused.length, refusals.length);
});

test('what does not fit loses its oldest turns without a word, as on the real server', async () => {
  const client = await start();
  const long = (content: string) => ({ role: 'user', content: content.repeat(200) });
  const messages = [{ role: 'system', content: 'rules' }, long('a'), long('b'), long('c')];
  const answer = await client.chat({ ...body, messages, options: { num_ctx: 110 } });
  const call = fake.calls[0];
  assert.equal(call?.dropped, 1);
  assert.deepEqual(
    call?.request.messages.map((turn) => turn.text[0]),
    ['b', 'c'],
  );
  assert.equal(call?.request.system, 'rules');
  assert.equal(answer.prompt_eval_count, tokensIn('rules') + 100);
  await client.chat({ ...body, messages });
  assert.equal(fake.calls[1]?.dropped, 0);
});

test('which models there are, and what they can do', async () => {
  const client = await start({ models: { 'mine:latest': { context: 1000, tools: false } } });
  const { models } = await client.list();
  assert.ok(
    models.some(({ name }) => name === 'llama3.1:latest') &&
      models.some(({ name }) => name === 'mine:latest'),
  );
  const llama = await client.show({ model: 'llama3.1' });
  assert.deepEqual(llama.capabilities, ['completion', 'tools']);
  assert.equal(
    Object.entries(llama.model_info).find(([key]) => key.endsWith('.context_length'))?.[1],
    131_072,
  );
  assert.deepEqual((await client.show({ model: 'mine' })).capabilities, ['completion']);
  await assert.rejects(client.show({ model: 'nobody' }), { status_code: 404 });
});

test('thinking comes beside the text', async () => {
  const client = await start({ answer: () => ({ text: 'yes', thinking: 'is it so?' }) });
  const { message } = await client.chat({ ...body, model: 'qwen3', think: true });
  assert.deepEqual([message.content, message.thinking], ['yes', 'is it so?']);
});

test('there are no refusals here: a model that declines says so in its text', async () => {
  await start();
  assert.throws(() => fake.fail({ fault: 'refusal' }), /Ollama has no refusals/);
});

test('arguments that are no JSON never leave the server as a call', async () => {
  const client = await start({ answer: () => ({ toolCalls: [{ name: 'list', json: '{"path": ' }] }) });
  const plain = await refused(client, { tools: [list] });
  assert.equal(plain.status, 500);
  assert.match(plain.message, /^error parsing tool call: raw='\{"path": '/);
  await assert.rejects(streamed(client, { tools: [list] }), /error parsing tool call/);
});
