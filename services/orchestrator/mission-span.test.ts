import assert from 'node:assert/strict';
import { afterEach, describe, it, type TestContext } from 'node:test';
import { newMissionTraceparent, traceOfMission } from '#chassis/mission-trace.ts';
import { startCollector } from '#chassis/span-collector.ts';
import { writeTraceparent } from '#chassis/traceparent.ts';
import { startTracing } from '#chassis/tracing.ts';
import { decide } from './decide.ts';
import type { Input } from './input.ts';
import { type Decided, traceDecision } from './mission-span.ts';
import { start as at, completed, missionId, started, submit, task } from './scenario.ts';
import type { MissionState } from './state.ts';

afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

/** The decisions of a mission, one for each input, a second after another. */
function decisions(traceparent: string, ...inputs: readonly Input[]): Decided[] {
  let before: MissionState | null = null;
  return inputs.map((input, second) => {
    const decision = decide(before, input, { now: at + second * 1000 });
    assert.ok(decision.kind === 'facts');
    const { facts } = decision;
    const state = { ...decision.state, traceparent };
    const decided = { state, facts };
    before = state;
    return decided;
  });
}

async function collect(t: TestContext, decided: readonly Decided[], commits = true) {
  const collector = await startCollector(t);
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.url;
  const log = { info() {}, warn: ({ reason }: { reason: string }) => assert.fail(reason) } as never;
  const tracing = await startTracing({ service: 'orchestrator', agent: 'o', scrub: String, log });
  for (const each of decided) {
    traceDecision(each, { afterCommit: (run) => (commits ? run() : undefined) });
  }
  await tracing.stop(2000);
  return collector;
}

const whole = (traceparent: string) =>
  decisions(traceparent, submit([task('a')]), started('a'), completed('a'));

describe('the span of a mission', () => {
  it('is the root of its trace, from the submission to the end', async (t) => {
    const traceparent = newMissionTraceparent(missionId);
    const decided = whole(traceparent).map((each) => ({ ...each, cost_usd: 1.5 }));
    const collector = await collect(t, decided);
    const { traceId, spanId } = traceOfMission(missionId, traceparent);
    const span = collector.spans.find(({ name }) => name.startsWith('mission'));
    assert.ok(span);
    assert.deepEqual([span.traceId, span.spanId, span.parentSpanId], [traceId, spanId, undefined]);
    assert.equal(span.startTimeUnixNano, BigInt(at) * 1_000_000n);
    assert.equal(span.endTimeUnixNano, BigInt(at + 2000) * 1_000_000n);
    assert.deepEqual(span.attributes, {
      'ravenhelm.mission_id': missionId,
      'ravenhelm.status': 'completed',
      'ravenhelm.tasks': 1,
      'ravenhelm.tasks.completed': 1,
      'ravenhelm.tasks.failed': 0,
      'ravenhelm.tasks.cancelled': 0,
      'ravenhelm.cost_usd': 1.5,
    });
    const plan = collector.one('plan');
    assert.deepEqual([plan.traceId, plan.parentSpanId], [traceId, spanId]);
    assert.deepEqual([plan.attributes['ravenhelm.tasks'], plan.attributes['ravenhelm.waves']], [1, 1]);
    assert.equal(collector.spans.length, 2);
  });

  it('has no plan while its brief is being planned', async (t) => {
    const tasks = JSON.stringify({ tasks: [{ id: 'a', role: 'builder' }] });
    const brief = submit([]);
    const before = await collect(t, decisions('', brief, started('plan')));
    assert.deepEqual(before.spans, []);
    const after = await collect(t, decisions('', brief, started('plan'), completed('plan', {}, tasks)));
    assert.equal(after.one('plan').attributes['ravenhelm.tasks'], 1);
  });

  it('is below the span of whoever asked for it', async (t) => {
    const caller = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true };
    const collector = await collect(t, whole(writeTraceparent(caller)));
    const span = collector.spans.find(({ name }) => name.startsWith('mission'));
    assert.deepEqual([span?.traceId, span?.parentSpanId], [caller.traceId, caller.spanId]);
  });

  it('is none where the caller is not sampled', async (t) => {
    const caller = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false };
    const collector = await collect(t, whole(writeTraceparent(caller)));
    assert.equal(collector.spans.length, 0);
  });

  it('says that a mission was refused', async (t) => {
    const collector = await collect(t, decisions('', submit([task('a', ['nobody'])])));
    const [span] = collector.spans;
    assert.equal(span?.attributes['ravenhelm.status'], 'rejected');
    assert.deepEqual([span.attributes['error.type'], span.status.code], ['invalid_plan', 2]);
    assert.equal(span.traceId, traceOfMission(missionId, null).traceId);
  });

  it('is none of a decision that was not committed', async (t) => {
    const collector = await collect(t, whole(''), false);
    assert.equal(collector.requests.length, 0);
  });
});
