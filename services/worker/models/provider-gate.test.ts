import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, type FailureCode } from '#chassis/failures.ts';
import { ProviderFailure, refusal, retryAfterMs } from './provider-failure.ts';
import { type GateSettings, gateDefaults, ProviderGate } from './provider-gate.ts';

const log = { warn() {} };
const quick = { ...gateDefaults, firstDelayMs: 1, longestDelayMs: 2 } satisfies GateSettings;
const gateOf = (changes: Partial<GateSettings> = {}) =>
  new ProviderGate('test', { ...quick, ...changes }, log);
const never = new AbortController().signal;

/** A call that fails with these codes, one each time, and then succeeds. */
function failing(...failures: readonly (FailureCode | Error)[]) {
  const left = [...failures];
  const state = { calls: 0 };
  const call = (): Promise<string> => {
    state.calls++;
    const next = left.shift();
    if (next === undefined) return Promise.resolve('answer');
    return Promise.reject(typeof next === 'string' ? new ProviderFailure(next, next) : next);
  };
  return { call, state };
}

/** Ends only with its signal, as every call has to. */
const hanging = (signal: AbortSignal): Promise<never> =>
  sleep(60_000, undefined, { signal }).catch(() => {
    throw signal.reason;
  }) as Promise<never>;

describe('retries', () => {
  for (const code of ['rate_limited', 'model_overloaded', 'model_failed', 'stream_broken'] as const) {
    test(`${code} is tried again`, async () => {
      const { call, state } = failing(code, code);
      assert.equal(await gateOf().run('m', call, never), 'answer');
      assert.equal(state.calls, 3);
    });
  }

  for (const code of [
    'model_timeout',
    'model_refused',
    'context_too_long',
    'model_unknown',
    'key_refused',
    'request_refused',
    'invalid_output',
  ] as const) {
    test(`${code} is not`, async () => {
      const { call, state } = failing(code);
      await assert.rejects(gateOf().run('m', call, never), { code });
      assert.equal(state.calls, 1);
    });
  }

  test('the last failure is thrown when no try is left', async () => {
    const { call, state } = failing(
      'rate_limited',
      'rate_limited',
      'rate_limited',
      'model_overloaded',
      'model_failed',
    );
    await assert.rejects(gateOf().run('m', call, never), { code: 'model_overloaded' });
    assert.equal(state.calls, quick.tries);
  });

  test('the wait that the provider asks for is kept', async () => {
    const { call } = failing(new ProviderFailure('rate_limited', 'busy', { retryAfterMs: 60 }));
    const began = performance.now();
    await gateOf().run('m', call, never);
    assert.ok(performance.now() - began >= 59);
  });

  test('a wait that is longer than the longest is not begun', async () => {
    const { call, state } = failing(new ProviderFailure('rate_limited', 'busy', { retryAfterMs: 61_000 }));
    await assert.rejects(gateOf().run('m', call, never), { code: 'rate_limited' });
    assert.equal(state.calls, 1);
  });

  test('a wait that leads beyond the deadline is not begun: the failure is told, not the deadline', async () => {
    const { call, state } = failing(new ProviderFailure('rate_limited', 'busy', { retryAfterMs: 500 }));
    await assert.rejects(gateOf({ timeoutMs: 100 }).run('m', call, never), { code: 'rate_limited' });
    assert.equal(state.calls, 1);
  });

  test('one deadline is for all tries together', async () => {
    let calls = 0;
    const call = async (signal: AbortSignal): Promise<string> => {
      calls++;
      await sleep(20);
      signal.throwIfAborted();
      throw new ProviderFailure('model_failed', 'out');
    };
    const run = gateOf({ timeoutMs: 50, tries: 1000, outagesToOpen: 1000 }).run('m', call, never);
    await assert.rejects(
      run,
      (error) => error instanceof Failure && ['model_timeout', 'model_failed'].includes(error.code),
    );
    assert.ok(calls <= 4, `${calls} calls`);
  });

  test('a call that does not end meets the deadline: model_timeout', async () => {
    await assert.rejects(gateOf({ timeoutMs: 10 }).run('p/m', hanging, never), {
      code: 'model_timeout',
      message: 'p/m: no answer in 10 ms',
    });
  });

  test('an abort ends a call and a wait at once, with its reason', async () => {
    const reason = new Error('enough');
    const { call, state } = failing(new ProviderFailure('rate_limited', 'busy', { retryAfterMs: 30_000 }));
    for (const each of [call, hanging]) {
      const gate = gateOf();
      const control = new AbortController();
      const run = gate.run('m', each, control.signal);
      await sleep(5);
      control.abort(reason);
      await assert.rejects(run, (error) => error === reason);
      await sleep(1);
      assert.equal(gate.running, 0, 'the place is free again');
    }
    assert.equal(state.calls, 1);
  });
});

describe('the limit', () => {
  test('never more calls at once, over all who ask, and those that wait for a retry count', async () => {
    const gate = gateOf({ concurrency: 3, outagesToOpen: 1000 });
    let inAir = 0;
    let most = 0;
    let calls = 0;
    const call = async (): Promise<void> => {
      most = Math.max(most, ++inAir);
      await sleep(1);
      inAir--;
      if (++calls % 3 === 0) throw new ProviderFailure('rate_limited', 'busy', { retryAfterMs: 1 });
    };
    const runs = Array.from({ length: 60 }, () => gate.run('m', call, never).catch(() => {}));
    await sleep(1);
    assert.equal(gate.running, 3);
    assert.equal(gate.waiting, 57);
    await Promise.all(runs);
    assert.equal(most, 3);
    assert.equal(gate.running, 0);
  });

  test('a call that waits for a place leaves with its signal, and is never made', async () => {
    const gate = gateOf({ concurrency: 1 });
    const first = new AbortController();
    const running = gate.run('m', hanging, first.signal);
    const control = new AbortController();
    const { call, state } = failing();
    const waiting = gate.run('m', call, control.signal);
    control.abort(new Error('left'));
    await assert.rejects(waiting, /left/);
    first.abort(new Error('done'));
    await assert.rejects(running, /done/);
    assert.equal(await gate.run('m', failing().call, never), 'answer');
    assert.equal(state.calls, 0);
  });

  test('the deadline does not run while a call waits for its place', async () => {
    const gate = gateOf({ concurrency: 1, timeoutMs: 30 });
    const slow = (): Promise<string> => sleep(20, 'answer');
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => gate.run('m', slow, never))), [
      'answer',
      'answer',
      'answer',
    ]);
  });
});

describe('the breaker', () => {
  const once = { tries: 1, outagesToOpen: 3 };

  test('opens after failures in a row, then fails at once, and closes when a call succeeds', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const gate = gateOf(once);
    for (let tries = 0; tries < 3; tries++) {
      assert.equal(gate.open, false);
      await assert.rejects(gate.run('m', failing('model_overloaded').call, never), {
        code: 'model_overloaded',
      });
    }
    assert.ok(gate.open);
    const { call, state } = failing();
    await assert.rejects(gate.run('m', call, never), {
      code: 'model_failed',
      message: /^test: not called, because its last 3 calls failed; it is tried again in 30 s$/,
    });
    assert.equal(state.calls, 0);
    t.mock.timers.tick(quick.openMs);
    assert.equal(await gate.run('m', call, never), 'answer');
    assert.equal(gate.open, false);
  });

  test('opens again when the call that probes fails', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const gate = gateOf({ ...once, outagesToOpen: 1 });
    await assert.rejects(gate.run('m', failing('model_failed').call, never));
    t.mock.timers.tick(quick.openMs);
    await assert.rejects(gate.run('m', failing('stream_broken').call, never), { code: 'stream_broken' });
    assert.ok(gate.open);
  });

  test('each try counts, and what opens it is not tried again', async () => {
    const gate = gateOf({ outagesToOpen: 2, tries: 10 });
    const { call, state } = failing('model_failed', 'model_failed', 'model_failed');
    await assert.rejects(gate.run('m', call, never), { code: 'model_failed', message: /not called/ });
    assert.equal(state.calls, 2);
  });

  test('what is no outage does not open it, and a success begins the count anew', async () => {
    const gate = gateOf(once);
    const codes: FailureCode[] = [
      'rate_limited',
      'request_refused',
      'context_too_long',
      'key_refused',
      'rate_limited',
    ];
    for (const code of codes) await assert.rejects(gate.run('m', failing(code).call, never), { code });
    for (let tries = 0; tries < 3; tries++) {
      await assert.rejects(gate.run('m', failing('model_failed').call, never));
      await assert.rejects(gate.run('m', failing('model_failed').call, never));
      await gate.run('m', failing().call, never);
    }
    assert.equal(gate.open, false);
  });

  test('a caller that gives up is no outage', async () => {
    const gate = gateOf({ ...once, outagesToOpen: 1 });
    await assert.rejects(gate.run('m', hanging, AbortSignal.timeout(5)));
    assert.equal(gate.open, false);
  });
});

describe('what a provider says', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  for (const [headers, wait] of [
    [{}, null],
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '7', 'retry-after-ms': '150' }, 150],
    [{ 'retry-after': 'Tue, 24 Nov 2026 12:00:09 GMT' }, 9000],
    [{ 'retry-after': 'Tue, 24 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '-1' }, null],
  ] as const) {
    test(`${JSON.stringify(headers)}: wait ${wait} ms`, () => {
      assert.equal(retryAfterMs(new Headers(headers), now), wait);
    });
  }

  for (const [status, code, said, expected] of [
    [400, 'invalid_request_error', 'prompt is too long: 9 tokens > 8 maximum', 'context_too_long'],
    [400, 'context_length_exceeded', 'too many', 'context_too_long'],
    [400, 'invalid_request_error', 'Your credit balance is too low', 'key_refused'],
    [400, '', 'registry.ollama.ai/library/x does not support tools', 'model_incapable'],
    [400, 'invalid_request_error', 'messages: at least one', 'request_refused'],
    [402, 'billing_error', 'pay', 'key_refused'],
    [422, '', 'no', 'request_refused'],
    [413, 'request_too_large', 'too large', 'context_too_long'],
    [429, 'insufficient_quota', 'You exceeded your current quota', 'key_refused'],
    [0, 'overloaded_error', 'Overloaded', 'model_overloaded'],
    [0, 'api_error', 'oops', 'model_failed'],
    [504, '', 'gateway', 'model_failed'],
  ] as const) {
    test(`${status} ${code} "${said}": ${expected}`, () => {
      const asked = { provider: 'openai', model: 'm', key: 'k' } as const;
      assert.equal(refusal(asked, { status, code, said, requestId: null, headers: null }).code, expected);
    });
  }

  test('a message names provider, model, status and request, and never the key', () => {
    const key = 'AbsolutelySecret123';
    const found = refusal(
      { provider: 'anthropic', model: 'claude', key },
      {
        status: 401,
        code: '',
        said: `invalid key ${key} and sk-ant-api03-abcdefghijkl`,
        requestId: 'req_7',
        headers: null,
      },
    );
    assert.equal(found.code, 'key_refused');
    assert.match(
      found.message,
      /^anthropic\/claude: HTTP 401, request req_7: invalid key \[secret\] and \[secret\]/,
    );
    assert.doesNotMatch(found.message, /AbsolutelySecret|efghijkl/);
  });
});
