import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import Anthropic, { type ClientOptions } from '@anthropic-ai/sdk';
import fc from 'fast-check';
import {
  asked,
  assistant,
  conversation,
  list,
  marked,
  refusals,
  result,
  used,
  user,
} from './anthropic.cases.ts';
import { type Fake, type FakeOptions, startFake, tokensIn } from './fake.ts';

let fake: Fake;
afterEach(async () => {
  await fake.close();
  assert.equal(fake.inAir, 0, 'nothing is left in the air');
});

async function start(options: Partial<FakeOptions> = {}, client: ClientOptions = {}): Promise<Anthropic> {
  fake = await startFake('anthropic', { answer: () => ({ text: 'hello' }), ...options });
  return new Anthropic({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0, logLevel: 'off', ...client });
}

type Params = Anthropic.MessageCreateParamsNonStreaming;
const body: Params = { model: 'claude-sonnet-5-5', max_tokens: 100, messages: [user] };
const textOf = (message: Anthropic.Message) =>
  message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('');

/** What the client throws for a body that its types may not allow. */
async function refused(client: Anthropic, changes: object, headers: Record<string, string | null> = {}) {
  const call = client.messages.create({ ...body, ...changes } as Params, { headers });
  const error: unknown = await call.then(
    () => assert.fail(`accepted: ${JSON.stringify(changes)}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Anthropic.APIError, String(error));
  return error;
}

test('plain and streamed answers are the same message', async () => {
  const client = await start({ answer: () => ({ text: 'naïve 🪶 ravens', thinking: 'hm' }) });
  const plain = await client.messages.create(body);
  const deltas: string[] = [];
  const stream = client.messages.stream(body).on('text', (text) => deltas.push(text));
  const streamed = await stream.finalMessage();
  assert.deepEqual(deltas.join(''), 'naïve 🪶 ravens');
  assert.ok(deltas.length > 1, 'in pieces');
  const { parsed_output: _parsed, ...said } = streamed as typeof streamed & { parsed_output?: unknown };
  assert.deepEqual(said, plain);
  assert.equal(plain.usage.output_tokens, tokensIn('naïve 🪶 ravens') + tokensIn('hm'));
  assert.equal(plain.usage.input_tokens, tokensIn('hi'));
  assert.deepEqual(
    plain.content.map(({ type }) => type),
    ['thinking', 'text'],
    'a model that thinks by itself begins with it',
  );
  assert.deepEqual(
    fake.calls.map(({ state, request }) => [state, request.stream]),
    [
      ['answered', false],
      ['answered', true],
    ],
  );
});

test('a round of tools: what was called, what it gave, and the request in our own words', async () => {
  const client = await start({
    answer: ({ messages }) =>
      messages.at(-1)?.role === 'tool'
        ? { text: 'two files' }
        : { text: 'let me see', toolCalls: [{ name: 'list', input: { path: 'a "b"' } }, { name: 'list' }] },
  });
  const first = await client.messages.stream({ ...body, system: 'be brief', tools: [list] }).finalMessage();
  const calls = first.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
  assert.deepEqual(
    [first.stop_reason, calls.map(({ input }) => input)],
    ['tool_use', [{ path: 'a "b"' }, {}]],
  );
  const second = await client.messages
    .create({
      ...body,
      system: [{ type: 'text', text: 'be brief' }],
      tools: [list],
      messages: [
        user,
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [
            ...calls.map(({ id }, at) => ({
              type: 'tool_result' as const,
              tool_use_id: id,
              content: `r${at}`,
              is_error: at === 1,
            })),
            { type: 'text', text: 'go on' },
          ],
        },
      ],
    })
    .catch((error: unknown) => error);
  assert.ok(!(second instanceof Error), String(second));
  const request = fake.calls[1]?.request;
  const ids = calls.map(({ id }) => id);
  assert.deepEqual(
    [request?.system, request?.tools, request?.maxTokens, request?.temperature, request?.wantsJson],
    ['be brief', ['list'], 100, null, null],
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
    { role: 'tool', text: 'r1', toolCallId: ids[1], toolName: 'list', isError: true },
    { role: 'user', text: 'go on' },
  ]);
});

test('an answer ends where max_tokens does', async () => {
  const client = await start({ answer: () => ({ text: 'x'.repeat(100) }) });
  const message = await client.messages.create({ ...body, max_tokens: 3 });
  assert.deepEqual(
    [textOf(message), message.stop_reason, message.usage.output_tokens],
    ['x'.repeat(12), 'max_tokens', 3],
  );
});

test('JSON of a schema', async () => {
  const client = await start({
    answer: ({ wantsJson }) => ({ text: JSON.stringify({ asked: wantsJson !== null }) }),
  });
  const schema = {
    type: 'object',
    properties: { asked: { type: 'boolean' } },
    required: ['asked'],
    additionalProperties: false,
  };
  const message = await client.messages.parse({
    ...body,
    output_config: { format: { type: 'json_schema', schema } },
  });
  assert.equal(textOf(message), '{"asked":true}');
});

test('what the API refuses is refused in its words, with its status and its ids', async () => {
  const client = await start({ models: { small: { context: 1000 } } });
  for (const [name, changes, status, says] of refusals) {
    const error = await refused(client, changes);
    assert.equal(error.status, status, name);
    assert.match(error.apiMessage ?? '', says, name);
    assert.equal(error.type, status === 404 ? 'not_found_error' : 'invalid_request_error', name);
    assert.match(error.requestID ?? '', /^req_/, name);
  }
  assert.equal(fake.calls.length, 0);
  assert.equal(fake.refused.length, refusals.length);
});

test('what looks like a refusal and is none', async () => {
  const client = await start();
  const accepted: object[] = [
    { messages: [user, user] },
    { ...conversation(assistant(used(), used('t2')), asked(result()), asked(result('t2'))) },
    { system: [marked, marked, marked], messages: [asked(marked)] },
    { model: 'claude-haiku-4-5', messages: [user, { role: 'assistant', content: 'The' }] },
    { messages: [user, { role: 'system', content: 'be brief' }] },
    { max_tokens: 128_000, stream: true },
    {
      thinking: { type: 'adaptive', display: 'summarized' },
      metadata: { user_id: 'u' },
      stop_sequences: ['X'],
    },
  ];
  for (const changes of accepted) await client.messages.create({ ...body, ...changes } as Params);
  assert.equal(fake.calls.length, accepted.length);
});

test('keys, versions and betas', async () => {
  const client = await start();
  const cases = [
    [{ authorization: null, 'x-api-key': '' }, 401, 'authentication_error', /header is required/],
    [{ authorization: 'Bearer other' }, 401, 'authentication_error', /[Ii]nvalid/],
    [{ 'anthropic-version': null }, 400, 'invalid_request_error', /anthropic-version: header is required/],
    [{ 'anthropic-version': '2024-01-01' }, 400, 'invalid_request_error', /not a valid version/],
    [
      { 'anthropic-beta': 'made-up-2026-01-01' },
      400,
      'invalid_request_error',
      /Unexpected value\(s\) `made-up/,
    ],
  ] as const;
  for (const [headers, status, type, says] of cases) {
    const error = await refused(client, {}, headers);
    assert.deepEqual([error.status, error.type], [status, type]);
    assert.match(error.message, says);
  }
  const old = {
    headers: { 'anthropic-version': '2023-06-01', authorization: null, 'x-api-key': 'fake-key' },
  };
  await client.messages.create({ ...body, model: 'claude-haiku-4-5', temperature: 0.2 } as Params, old);
  assert.equal(fake.calls[0]?.request.temperature, 0.2);
  const error = await refused(client, { temperature: 0.2 }, old.headers);
  assert.match(error.message, /`temperature` is deprecated for this model/);
  assert.match(
    (await refused(client, { model: 'claude-haiku-4-5', temperature: 1.5 }, old.headers)).message,
    /less than or equal to 1/,
  );
});

test('a body that is too large', async () => {
  const client = await start({ maxBodyBytes: 10_000 });
  const error = await refused(client, { messages: [{ role: 'user', content: 'x'.repeat(20_000) }] });
  assert.deepEqual(
    [error.status, error.type, error.constructor.name],
    [413, 'request_too_large', 'ContentTooLargeError'],
  );
});

test('a prompt is written to the cache once and read from it then, in the order tools, system, messages', async () => {
  let now = 0;
  const client = await start({ clock: () => now });
  const system = 'x'.repeat(4 * 1100);
  const ask = async (question: string, changes: object = {}) => {
    const cached = [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }];
    const { usage } = await client.messages.create({
      ...body,
      system: cached,
      messages: [{ role: 'user', content: question }],
      ...changes,
    } as Params);
    return [usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens];
  };
  assert.deepEqual(await ask('one?'), [1, 1100, 0]);
  assert.deepEqual(await ask('two?'), [1, 0, 1100]);
  assert.deepEqual(
    await ask('two?', { model: 'claude-haiku-5-5' }),
    [1101, 0, 0],
    'too short for this model',
  );
  const [, written, read] = await ask('two?', { tools: [list] });
  assert.deepEqual(
    [written, read],
    [1100 + tokensIn(JSON.stringify(list)), 0],
    'tools come first: the prefix is another',
  );
  now += 300_001;
  assert.deepEqual(await ask('two?'), [1, 1100, 0], 'forgotten after five minutes');
  const turns = [user, { role: 'assistant', content: 'ok' }, { role: 'user', content: 'go on' }];
  assert.deepEqual(
    await ask('', { messages: turns, cache_control: { type: 'ephemeral' } }),
    [0, 4, 1100],
    'a mark that moves on',
  );
  const longer = [...turns, { role: 'assistant', content: 'yes' }, user];
  assert.deepEqual(await ask('', { messages: longer, cache_control: { type: 'ephemeral' } }), [0, 2, 1104]);
});

test('never more tokens than bytes, and none of an empty text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const bytes = Buffer.byteLength(text);
      assert.ok(tokensIn(text) <= bytes && tokensIn(text) >= bytes / 4);
    }),
  );
});
