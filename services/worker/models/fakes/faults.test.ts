/** Every fault as the real clients show it. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { askThrough, type Heard } from './ask-through.ts';
import { type Fake, type FakeOptions, type Fault, type Provider, startFake } from './fake.ts';

const providers = ['anthropic', 'openai', 'ollama'] as const;
/** The one that is asked: the last that was started. */
let fake: Fake;
const started: Fake[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) {
    await one.close();
    assert.equal(one.inAir, 0, 'nothing is left in the air');
  }
});

async function start(provider: Provider, options: Partial<FakeOptions> = {}): Promise<void> {
  fake = await startFake(provider, { answer: () => ({ text: 'hello there' }), ...options });
  started.push(fake);
}

const ask = (stream: boolean, signal?: AbortSignal): Promise<Heard> => askThrough(fake, stream, signal);

async function failure(
  stream: boolean,
  signal?: AbortSignal,
): Promise<Error & { status?: number; status_code?: number }> {
  const thrown: unknown = await ask(stream, signal).then(
    (heard) => assert.fail(`answered: ${JSON.stringify(heard)}`),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof Error);
  return thrown;
}

const statusOf = (error: { status?: number; status_code?: number }) => error.status ?? error.status_code;
const quiet = (t: {
  mock: { method: (object: Console, name: 'log' | 'warn', to: () => void) => unknown };
}) => {
  // The client of Ollama talks to the console when a body is not what it expects.
  t.mock.method(console, 'log', () => undefined);
  t.mock.method(console, 'warn', () => undefined);
};

test('a status comes with the provider’s own body and headers, and only once', async () => {
  for (const provider of providers) {
    await start(provider);
    for (const status of [400, 401, 403, 404, 429, 500, 503, 529]) {
      for (const stream of [false, true]) {
        fake.fail({ fault: 'status', status, message: 'told so' });
        const error = await failure(stream);
        assert.deepEqual(
          [statusOf(error), /told so/.test(error.message)],
          [status, true],
          `${provider} ${status}`,
        );
      }
    }
    assert.equal((await ask(false)).text, 'hello there');
    assert.deepEqual([fake.calls.length, fake.refused.length], [1, 16]);
  }
});

/** A request without a client, for what a client does not show. */
function post(changes: object = {}): Promise<Response> {
  const path = { anthropic: '/v1/messages', openai: '/chat/completions', ollama: '/api/chat' }[fake.provider];
  const model = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-4.1', ollama: 'llama3.1' }[fake.provider];
  const headers = {
    authorization: 'Bearer fake-key',
    'content-type': 'application/json',
    'anthropic-version': '2026-10-21',
  };
  const limit = fake.provider === 'anthropic' ? { max_tokens: 99 } : {};
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...limit, ...changes });
  return fetch(fake.url + path, { method: 'POST', headers, body });
}

test('what the bodies of errors look like', async () => {
  const bodies: Record<Provider, unknown> = {
    anthropic: {
      type: 'error',
      error: { details: null, type: 'rate_limit_error', message: 'slow down' },
      request_id: 'ID',
    },
    openai: { error: { message: 'slow down', type: 'requests', param: null, code: 'rate_limit_exceeded' } },
    ollama: { error: 'slow down' },
  };
  for (const provider of providers) {
    await start(provider);
    for (const [retryAfter, header, value] of [
      [{ seconds: 7 }, 'retry-after', '7'],
      [{ ms: 250 }, 'retry-after-ms', '250'],
    ] as const) {
      fake.fail({ fault: 'status', status: 429, message: 'slow down', retryAfter });
      const response = await post();
      const text = (await response.text()).replace(/req_[0-9a-f]+/, 'ID');
      assert.deepEqual(
        [response.status, response.headers.get(header), JSON.parse(text)],
        [429, value, bodies[provider]],
      );
    }
  }
});

for (const provider of providers) {
  test(`${provider}: the classes that the client makes of statuses`, async () => {
    const classes: Record<string, Record<number, string>> = {
      anthropic: {
        401: 'AuthenticationError',
        403: 'PermissionDeniedError',
        404: 'NotFoundError',
        429: 'RateLimitError',
        500: 'InternalServerError',
        529: 'OverloadedError',
      },
      openai: {
        401: 'AuthenticationError',
        403: 'PermissionDeniedError',
        404: 'NotFoundError',
        429: 'RateLimitError',
        500: 'InternalServerError',
        503: 'InternalServerError',
      },
      ollama: { 404: 'ResponseError', 500: 'ResponseError', 503: 'ResponseError' },
    };
    await start(provider);
    for (const [status, name] of Object.entries(classes[provider] ?? {})) {
      fake.fail({ fault: 'status', status: Number(status) });
      assert.equal((await failure(false)).constructor.name, name);
    }
  });

  test(`${provider}: a context too long and a model that is not there, as the provider says it`, async () => {
    await start(provider);
    const says = {
      anthropic: [/prompt is too long: 1000001 tokens > 1000000/, /model: claude-sonnet-5-5/],
      openai: [/maximum context length is 1047576 tokens/, /`gpt-4.1` does not exist/],
      ollama: [/input length exceeds the context length/, /model 'llama3.1' not found/],
    }[provider];
    fake.fail({ fault: 'context_too_long' }, { fault: 'model_not_found' });
    for (const [at, status] of [400, 404].entries()) {
      const error = await failure(at === 0);
      assert.equal(statusOf(error), status);
      assert.match(error.message, says[at] ?? /never/);
    }
    assert.equal(fake.calls.length, 0);
  });

  test(`${provider}: a reset, a break and an end too early are errors of the connection, not answers`, async (t) => {
    quiet(t);
    await start(provider);
    const faults: Fault[] = [
      { fault: 'reset' },
      { fault: 'break', after: 0 },
      { fault: 'break', after: 2 },
      { fault: 'break', after: 1000 },
      { fault: 'truncated' },
    ];
    for (const fault of faults) {
      for (const stream of [false, true]) {
        fake.fail(fault);
        const error = await failure(stream);
        assert.equal(statusOf(error), undefined, `${JSON.stringify(fault)} ${stream}: ${error.message}`);
      }
    }
    assert.ok(fake.calls.every(({ state, usage }) => state === 'broken' && usage !== null));
    assert.equal((await ask(true)).text, 'hello there', 'the next is answered');
  });

  test(`${provider}: a reset is one of the connection, before any answer`, async () => {
    await start(provider);
    fake.fail({ fault: 'reset' }, { fault: 'reset' });
    await assert.rejects(post(), ({ cause }: Error) => {
      assert.ok(cause instanceof Error && 'code' in cause);
      return cause.code === 'ECONNRESET' || cause.code === 'UND_ERR_SOCKET';
    });
    const error = await failure(false);
    if (provider !== 'ollama') assert.equal(error.constructor.name, 'APIConnectionError');
    assert.deepEqual([fake.calls.length, fake.refused.map(({ status }) => status)], [0, [0, 0]]);
  });

  test(`${provider}: text that came before a break was given`, async () => {
    await start(provider, { answer: () => ({ text: 'abcdefghijklmnopqrstuvwxyz' }) });
    fake.fail({ fault: 'break', after: provider === 'anthropic' ? 8 : 3 });
    const response = await post({ stream: true });
    let heard = '';
    await assert.rejects(async () => {
      for await (const bytes of response.body ?? []) heard += Buffer.from(bytes as Uint8Array).toString();
    });
    assert.match(heard, /abcd/);
    assert.doesNotMatch(heard, /wxyz/);
  });

  test(`${provider}: an error in the middle of a stream`, async () => {
    await start(provider);
    fake.fail({ fault: 'stream_error', after: 3, message: 'the model fell over' });
    const error = await failure(true);
    assert.equal(statusOf(error), undefined, 'its status was 200');
    assert.match(error.message, /the model fell over/);
    if (error instanceof Anthropic.APIError) assert.equal(error.type, 'overloaded_error');
    fake.fail({ fault: 'stream_error', after: 3 });
    assert.equal(statusOf(await failure(false)), provider === 'anthropic' ? 529 : 503);
  });

  test(`${provider}: a proxy that answers in HTML`, async (t) => {
    quiet(t);
    await start(provider);
    fake.fail({ fault: 'gateway' }, { fault: 'gateway', status: 504 });
    assert.equal(statusOf(await failure(false)), 502);
    assert.equal(statusOf(await failure(true)), 504);
  });

  test(`${provider}: what hangs ends when the client gives up, or the fake`, async () => {
    const asked = Promise.withResolvers<void>();
    await start(provider, {
      answer: (_, signal) => {
        asked.resolve();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('gone')));
        });
      },
    });
    const giveUp = new AbortController();
    const waiting = failure(false, giveUp.signal);
    await asked.promise;
    assert.equal(fake.inAir, 1);
    giveUp.abort();
    assert.match(`${(await waiting).name} ${(await waiting).message}`, /abort/i);
    fake.fail({ fault: 'hang' });
    const hung = [failure(false), failure(true)];
    while (fake.calls.length < 3) await sleep(1);
    await fake.close();
    for (const error of hung) assert.equal(statusOf(await error), undefined);
    assert.deepEqual(
      fake.calls.map(({ state, usage }) => [state, usage]),
      [
        ['gone', null],
        ['gone', null],
        ['gone', null],
      ],
    );
  });

  test(`${provider}: a slow start is only slow`, async () => {
    await start(provider);
    fake.fail({ fault: 'slow', ms: 30 });
    const began = performance.now();
    assert.equal((await ask(true)).text, 'hello there');
    assert.ok(performance.now() - began >= 29);
  });

  test(`${provider}: text where JSON was asked for, only when it is meant`, async () => {
    await start(provider);
    fake.fail({ fault: 'not_json' });
    assert.match((await ask(false)).text, /^Sure!/);
  });

  test(`${provider}: many in the air at once are counted, and answered each its own`, async () => {
    const all = Promise.withResolvers<void>();
    await start(provider, {
      answer: async ({ messages }) => {
        if (fake.inAir === 5) all.resolve();
        await all.promise;
        return { text: `${messages.length}` };
      },
    });
    const heard = await Promise.all(Array.from({ length: 5 }, (_, at) => ask(at % 2 === 0)));
    assert.deepEqual(
      heard.map(({ text }) => text),
      ['1', '1', '1', '1', '1'],
    );
    assert.deepEqual([fake.maxInAir, fake.calls.length], [5, 5]);
    await ask(false);
    assert.equal(fake.maxInAir, 5);
  });

  test(`${provider}: an answer may be a fault itself`, async () => {
    await start(provider, { answer: () => ({ fault: 'status', status: 429 }) });
    assert.equal(statusOf(await failure(false)), 429);
    assert.deepEqual([fake.calls.length, fake.refused[0]?.status], [0, 429]);
  });
}

test('empty arguments of a tool call', async () => {
  const expected: Record<Provider, unknown> = { anthropic: {}, openai: '', ollama: {} };
  for (const provider of providers) {
    await start(provider);
    for (const stream of [false, true]) {
      fake.fail({ fault: 'arguments', raw: '' });
      assert.deepEqual((await ask(stream)).inputs, [expected[provider]], `${provider} ${stream}`);
    }
  }
});

test('malformed arguments reach OpenAI’s caller as text, and Anthropic’s as text or as the client’s error', async () => {
  await start('anthropic');
  fake.fail({ fault: 'arguments', raw: '{"path": nope' });
  assert.deepEqual((await ask(false)).inputs, ['{"path": nope']);
  fake.fail({ fault: 'arguments', raw: '{"path": nope' });
  await assert.rejects(ask(true), /JSON/i);
  await start('openai');
  for (const stream of [false, true]) {
    fake.fail({ fault: 'arguments', raw: '{"path": nope' });
    assert.deepEqual((await ask(stream)).inputs, ['{"path": nope']);
  }
});

test('Anthropic: a refusal says so, with its details', async () => {
  await start('anthropic');
  fake.fail({ fault: 'refusal' }, { fault: 'refusal', text: 'I would rather not' });
  assert.deepEqual(await ask(false), { text: '', inputs: [], stop: 'refusal' });
  assert.deepEqual(await ask(true), { text: 'I would rather not', inputs: [], stop: 'refusal' });
});

test('a request that is refused meets no fault, and an answer that throws is found at the end', async () => {
  await start('ollama', { answer: () => Promise.reject(new Error('no such turn')) });
  fake.fail({ fault: 'status', status: 503 });
  const client = new Ollama({ host: fake.url });
  await assert.rejects(client.chat({ model: 'nobody', messages: [] }), { status_code: 404 });
  assert.equal(statusOf(await failure(false)), 503);
  assert.equal(statusOf(await failure(false)), 500);
  await assert.rejects(fake.close(), (error: AggregateError) => /answer of a fake threw/.test(error.message));
});

test('an answer that the provider could not give is a mistake of the test', async () => {
  await start('ollama', { answer: () => ({ text: 'no JSON' }) });
  const client = new Ollama({ host: fake.url });
  await assert.rejects(
    client.chat({ model: 'llama3.1', messages: [{ role: 'user', content: 'x' }], format: 'json' }),
    /JSON was asked for/,
  );
  await assert.rejects(fake.close());
});

test('a stream that merely ends early looks whole to who reads its events: the reader has to know the last one', async () => {
  const user = { role: 'user' as const, content: 'hi' };
  await start('anthropic');
  fake.fail({ fault: 'truncated' });
  const claude = new Anthropic({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0 });
  const types: string[] = [];
  for await (const event of await claude.messages.create({
    model: 'claude-haiku-5-5',
    max_tokens: 9,
    messages: [user],
    stream: true,
  }))
    types.push(event.type);
  assert.ok(types.length > 1 && !types.includes('message_stop'));
  await start('openai');
  fake.fail({ fault: 'truncated' });
  const gpt = new OpenAI({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0 });
  const reasons: unknown[] = [];
  for await (const chunk of await gpt.chat.completions.create({
    model: 'gpt-4.1',
    messages: [user],
    stream: true,
  }))
    reasons.push(chunk.choices[0]?.finish_reason);
  assert.ok(reasons.length > 0 && reasons.every((reason) => reason === null));
});
