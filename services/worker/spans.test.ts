/** The spans of a rehearsed task, as a real collector receives them from the real exporter. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it, type TestContext } from 'node:test';
import { asFailure } from '#chassis/failures.ts';
import { leaseSpanId, newMissionTraceparent, traceOfMission } from '#chassis/mission-trace.ts';
import { scrubber } from '#chassis/secrets.ts';
import { startCollector } from '#chassis/span-collector.ts';
import { inSpan, startTracing } from '#chassis/tracing.ts';
import type { EventOf, Script } from '#schemas/types.gen.ts';
import type { Model, ModelAnswer } from './models/model.ts';
import { scriptedModel } from './models/scripted.ts';
import { Log, ownerOf, rehearse } from './rehearsal.ts';
import type { EndReport } from './report.ts';
import { tracedModel, traceTask } from './spans.ts';
import type { ToolResult } from './tools/tool.ts';
import type { Toolbox } from './tools/toolbox.ts';

const scrub = scrubber([{ name: 'KEY', value: 'sk-live0123-abcdefghijklmnop' }]).text;
let workspaces: string;
before(async () => {
  workspaces = await mkdtemp(join(tmpdir(), 'ravenhelm-spans-'));
});
after(() => rm(workspaces, { recursive: true }));
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

const log = { info() {}, warn: ({ reason }: { reason: string }) => assert.fail(reason) } as never;

async function start(t: TestContext, more: Readonly<Record<string, string>> = {}) {
  const collector = await startCollector(t);
  Object.assign(process.env, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...more });
  const tracing = await startTracing({ service: 'worker', agent: 'agent-1', scrub, log });
  t.after(() => tracing.stop(0));
  return { collector, sent: () => tracing.stop(2000) };
}

const secret = 'sk-live0123-abcdefghijklmnop';
const script: Script = {
  calls: ['one', 'two'].map((name) => ({
    tool: 'say',
    arguments: JSON.stringify({ name, key: secret }),
    allow_failure: false,
  })),
  answer: 'all said',
};

/** As `agent.ts` makes tool calls: `run` is what a tool does. */
function toolbox(run: (call: string, signal: AbortSignal) => Promise<ToolResult>): Toolbox {
  return {
    schemas: [],
    hash: 'h',
    prepare() {
      const effect = 'idempotent' as const;
      return {
        effect,
        argumentsJson: '{}',
        run({ signal, idempotencyKey }) {
          const step = Number(idempotencyKey.split('/').at(-1));
          return run(`call_${step / 2}`, signal);
        },
      };
    },
  };
}

const fine = (): Promise<ToolResult> =>
  Promise.resolve({ ok: true, output: `said ${secret}`, truncated: false });

/** A model that is paid for, and answers as the script says. */
function paidModel(answered: Partial<ModelAnswer> = {}): Model {
  const scripted = scriptedModel(script);
  const usage = {
    ...{ input_tokens: 100, output_tokens: 20, cache_read_tokens: 40, cache_write_tokens: 2 },
    cost_usd: 0.0125,
    calls: 1,
  };
  return {
    ...scripted,
    provider: 'anthropic',
    model: 'claude-x',
    call: async (request, signal) => ({ ...(await scripted.call(request, signal)), usage, ...answered }),
  };
}

const assignment = (lease = 1) =>
  ({
    correlation_id: 'mission',
    payload: { ...ownerOf(lease), description: 'Do it.' },
  }) as unknown as EventOf<'task_assigned'>;

interface Task {
  readonly lease?: number;
  readonly log?: Log;
  readonly model?: Model;
  readonly tools?: Toolbox;
  readonly signal?: AbortSignal;
  readonly traceparent?: string | null;
}

/** A task as a worker runs it, from its assignment to its report. */
function runTraced({ lease = 1, log = new Log(), tools = toolbox(fine), signal, ...task }: Task) {
  const traceparent = task.traceparent ?? null;
  return traceTask({ assignment: assignment(lease), traceparent, agent: 'agent-1' }, async () => {
    try {
      const model = tracedModel(task.model ?? paidModel());
      const parts = { log, lease, workspaces, script, toolbox: tools, model };
      const { result, agent } = await rehearse(signal === undefined ? parts : { ...parts, signal });
      const { usage, steps } = agent;
      const payload = { result, steps, journal_hash: '', duration_ms: 1, usage };
      return { event_type: 'task_completed', payload };
    } catch (error) {
      if (signal?.aborted === true) return { event_type: 'task_released', payload: { reason: '' } };
      const { code, message } = asFailure(error);
      const payload = { code, message, steps: 1, journal_hash: '', retry_at: 0 };
      return { event_type: 'task_attempt_failed', payload } as EndReport;
    }
  });
}

describe('the spans of a task', () => {
  it('are the task, its model calls and its tool calls, in the trace of the mission', async (t) => {
    const { collector, sent } = await start(t);
    const traceparent = newMissionTraceparent('mission');
    const { traceId, spanId } = traceOfMission('mission', traceparent);
    await runTraced({ traceparent });
    await sent();
    assert.deepEqual(
      collector.spans.map(({ name }) => name),
      [
        ...['chat claude-x', 'execute_tool say', 'chat claude-x', 'execute_tool say', 'chat claude-x'],
        'task task',
      ],
    );
    assert.ok(collector.spans.every((span) => span.traceId === traceId));
    const task = collector.one('task task');
    assert.deepEqual([task.spanId, task.parentSpanId], [leaseSpanId('mission', 'task', 1, 1), spanId]);
    assert.deepEqual(task.attributes, {
      'ravenhelm.mission_id': 'mission',
      'ravenhelm.task_id': 'task',
      'ravenhelm.role': 'cert_agent',
      'ravenhelm.attempt': 1,
      'ravenhelm.lease': 1,
      'ravenhelm.agent': 'agent-1',
      'ravenhelm.resumed': false,
      'ravenhelm.outcome': 'completed',
      'ravenhelm.steps': 5,
      'ravenhelm.cost_usd': 0.0375,
      'gen_ai.agent.name': 'cert_agent',
    });
    const [model, tool] = collector.spans;
    assert.ok(model && tool);
    assert.deepEqual([model.kind, model.parentSpanId], [3, task.spanId]);
    assert.deepEqual(model.attributes, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-x',
      'gen_ai.request.max_tokens': 8192,
      'gen_ai.response.model': 'claude-x',
      'gen_ai.response.finish_reasons': ['tool_use'],
      'gen_ai.usage.input_tokens': 142,
      'gen_ai.usage.output_tokens': 20,
      'gen_ai.usage.cache_read.input_tokens': 40,
      'gen_ai.usage.cache_write.input_tokens': 2,
      'ravenhelm.cost_usd': 0.0125,
    });
    assert.deepEqual([tool.kind, tool.parentSpanId, tool.status.code], [1, task.spanId, 0]);
    assert.deepEqual(tool.attributes, {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'say',
      'gen_ai.tool.call.id': 'call_1',
      'gen_ai.tool.type': 'function',
      'ravenhelm.effect': 'idempotent',
      'ravenhelm.step': 2,
      'ravenhelm.outcome': 'ok',
      'ravenhelm.truncated': false,
    });
    for (const word of ['Do it', 'You are', 'all said', 'sk-live']) {
      assert.ok(!collector.text().includes(word), `found ${word} in a span`);
    }
  });

  it('of a resume are only those of what it did itself, linked to the lease before', async (t) => {
    const { collector, sent } = await start(t);
    const journal = new Log();
    const drained = new AbortController();
    const stopsAtSecond = toolbox((call, signal) => {
      if (call === 'call_1') return fine();
      drained.abort(new Error('drained'));
      return Promise.reject(signal.reason);
    });
    const first = await runTraced({ log: journal, tools: stopsAtSecond, signal: drained.signal });
    assert.equal(first?.event_type, 'task_released');
    const second = await runTraced({ log: journal, lease: 2 });
    assert.equal(second?.event_type, 'task_completed');
    await sent();
    const [one, two] = collector.spans.filter(({ name }) => name === 'task task');
    assert.ok(one && two);
    const named = ['ravenhelm.outcome', 'ravenhelm.resumed', 'ravenhelm.lease'];
    const said = (span: typeof one) => named.map((name) => span.attributes[name]);
    assert.deepEqual(said(one), ['released', false, 1]);
    assert.deepEqual(said(two), ['completed', true, 2]);
    assert.deepEqual(one.links, []);
    assert.deepEqual(two.links, [{ traceId: one.traceId, spanId: one.spanId }]);
    assert.deepEqual([two.traceId, two.parentSpanId], [one.traceId, one.parentSpanId]);
    const children = collector.spans.filter((span) => span.parentSpanId === two.spanId);
    assert.deepEqual(
      children.map(({ name }) => name),
      ['execute_tool say', 'chat claude-x'],
    );
  });

  it('say why something failed, and not in whose words', async (t) => {
    const { collector, sent } = await start(t);
    const broken = toolbox(() =>
      Promise.resolve({ ok: false, code: 'not_found', message: 'my words', output: '', truncated: false }),
    );
    const report = await runTraced({ tools: broken });
    assert.equal(report?.event_type, 'task_attempt_failed');
    await sent();
    const tool = collector.one('execute_tool say');
    assert.deepEqual([tool.attributes['error.type'], tool.status.code], ['not_found', 2]);
    assert.equal(tool.attributes['ravenhelm.outcome'], 'failed');
    const task = collector.one('task task');
    assert.equal(task.attributes['ravenhelm.code'], 'tool_failed');
    assert.equal(task.status.code, 2);
    assert.ok(!collector.text().includes('my words'));
  });

  it('leave out a cost that nobody knows, and name who answered instead', async (t) => {
    const { collector, sent } = await start(t);
    const usage = {
      ...{ input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0 },
      cost_usd: null,
      calls: 1,
    };
    await runTraced({ model: paidModel({ usage, by: { provider: 'ollama', model: 'llama' } }) });
    await sent();
    const [model] = collector.spans;
    assert.equal(model?.attributes['gen_ai.request.model'], 'claude-x');
    assert.equal(model.attributes['gen_ai.response.model'], 'llama');
    assert.equal(model.attributes['ravenhelm.response.provider'], 'ollama');
    for (const span of collector.spans) assert.ok(!('ravenhelm.cost_usd' in span.attributes), span.name);
  });

  it('hold what was said when that is asked for, without secrets', async (t) => {
    const capture = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' };
    const { collector, sent } = await start(t, capture);
    await runTraced({});
    await sent();
    const last = collector.spans.findLast(({ name }) => name === 'chat claude-x');
    const read = (name: string) =>
      JSON.parse(String(last?.attributes[name])) as { role: string; parts: object[] }[];
    assert.deepEqual(
      read('gen_ai.input.messages').map(({ role }) => role),
      ['user', 'assistant', 'tool', 'assistant', 'tool'],
    );
    assert.deepEqual(read('gen_ai.output.messages'), [
      { role: 'assistant', parts: [{ type: 'text', content: 'all said' }], finish_reason: 'end' },
    ]);
    assert.deepEqual(read('gen_ai.system_instructions'), [{ type: 'text', content: 'You are cert_agent.' }]);
    const tool = collector.spans.find(({ name }) => name === 'execute_tool say');
    assert.equal(tool?.attributes['gen_ai.tool.call.result'], '"said [secret:KEY]"');
    assert.ok(!collector.text().includes(secret));
  });

  it('agree on a trace where the mission came without one', async (t) => {
    const { collector, sent } = await start(t);
    await runTraced({ traceparent: 'nonsense' });
    await sent();
    const { traceId, spanId } = traceOfMission('mission', null);
    const { parentSpanId, traceId: found } = collector.one('task task');
    assert.deepEqual([found, parentSpanId], [traceId, spanId]);
  });

  it('are none when tracing is off, and the task is the same', async (t) => {
    const collector = await startCollector(t);
    const report = await runTraced({});
    assert.equal(report?.event_type, 'task_completed');
    assert.equal(
      await inSpan(
        () => assert.fail('nobody asks'),
        () => Promise.resolve(1),
      ),
      1,
    );
    assert.equal(collector.requests.length, 0);
  });
});
