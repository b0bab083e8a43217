import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it, type TestContext } from 'node:test';
import { Failure } from './failures.ts';
import { startCollector } from './span-collector.ts';
import { readTraceparent } from './traceparent.ts';
import {
  addSpan,
  content,
  currentTraceparent,
  inSpan,
  isWanted,
  startTracing,
  type Tracing,
  tracingIsOn,
} from './tracing.ts';

const before = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
  Object.assign(process.env, before);
});

const complaints: string[] = [];
const log = { info() {}, warn: ({ reason }: { reason: string }) => void complaints.push(reason) };

/** Tracing as a service starts it, with these variables. */
function start(t: TestContext, variables: Readonly<Record<string, string>>): Promise<Tracing> {
  complaints.length = 0;
  Object.assign(process.env, variables);
  const settings = { service: 'worker', agent: 'worker@here:1', scrub: (text: string) => text, log };
  return startTracing({ ...settings, log: log as Parameters<typeof startTracing>[0]['log'] }).then(
    (tracing) => {
      t.after(() => tracing.stop(0));
      return tracing;
    },
  );
}

const draft = () => ({ name: 'work', attributes: { one: 1, nothing: undefined } });

describe('tracing', () => {
  it('is off unless an endpoint is named', () => {
    const url = 'http://127.0.0.1:1';
    assert.equal(isWanted({}), false);
    assert.equal(isWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }), false);
    assert.equal(isWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: url }), true);
    assert.equal(isWanted({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url }), true);
    assert.equal(isWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: 'TRUE' }), false);
    assert.equal(isWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: 'none' }), false);
  });

  it('loads no SDK and sends nothing when it is off', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' });
    assert.deepEqual([tracing.on, tracingIsOn()], [false, false]);
    assert.equal(await inSpan(draft, () => Promise.resolve(currentTraceparent())), null);
    addSpan(() => assert.fail('nobody asks what it would be'));
    await tracing.stop(1000);
    assert.equal(collector.requests.length, 0);
    // In a process of its own: here the SDK may be loaded by other tests.
    const script = `
      const { startTracing } = await import('#chassis/tracing.ts');
      await startTracing({ service: 's', agent: 'a', scrub: String, log: { info() {}, warn() {} } });
      const loaded = Object.keys((await import('node:module')).default._cache);
      console.log(loaded.filter((file) => file.includes('opentelemetry')).length);`;
    const loaded = (env: NodeJS.ProcessEnv) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { env }).toString().trim();
    assert.equal(loaded({}), '0');
    assert.notEqual(loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }), '0');
  });

  it('takes name, attributes and headers from the standard variables', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/api/public/otel`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc,x-more=1',
      OTEL_SERVICE_NAME: 'our-swarm',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=not-this',
    });
    await inSpan(draft, () => Promise.resolve());
    await tracing.stop(2000);
    const [request] = collector.requests;
    assert.equal(request?.path, '/api/public/otel/v1/traces');
    assert.deepEqual([request.headers['authorization'], request.headers['x-more']], ['Basic abc', '1']);
    const { resource, attributes, status } = collector.one('work');
    assert.equal(resource['service.name'], 'our-swarm');
    assert.equal(resource['deployment.environment.name'], 'test');
    assert.equal(resource['service.instance.id'], 'worker@here:1');
    assert.deepEqual(attributes, { one: 1 });
    assert.equal(status.code, 0);
  });

  it('names the service itself, and takes the endpoint of traces as it is', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/here` });
    await inSpan(draft, () => Promise.resolve());
    await tracing.stop(2000);
    assert.equal(collector.requests[0]?.path, '/here');
    assert.equal(collector.one('work').resource['service.name'], 'ravenhelm-worker');
  });

  it('puts a span into the one that its code runs in', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    let header: string | null = null;
    await inSpan(
      () => ({ name: 'outer', attributes: {} }),
      async () => {
        await Promise.resolve();
        header = currentTraceparent();
        await Promise.all(
          ['a', 'b'].map((name) =>
            inSpan(
              () => ({ name, attributes: {} }),
              () => Promise.resolve(),
            ),
          ),
        );
      },
    );
    assert.equal(currentTraceparent(), null);
    await tracing.stop(2000);
    const outer = collector.one('outer');
    assert.deepEqual(readTraceparent(header), {
      traceId: outer.traceId,
      spanId: outer.spanId,
      sampled: true,
    });
    for (const name of ['a', 'b']) assert.equal(collector.one(name).parentSpanId, outer.spanId);
    assert.equal(outer.parentSpanId, undefined);
  });

  it('marks what fails with its code, and without its message', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const failure = new Failure('rate_limited', 'the prompt was: secret');
    await assert.rejects(
      inSpan(draft, () => Promise.reject(failure)),
      failure,
    );
    await tracing.stop(2000);
    const { attributes, status } = collector.one('work');
    assert.equal(attributes['error.type'], 'rate_limited');
    assert.deepEqual(status, { code: 2, message: 'rate_limited' });
    assert.doesNotMatch(collector.text(), /secret/);
  });

  it('tells of what was over before this process began', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    addSpan(() => ({
      name: 'old',
      attributes: {},
      parent: null,
      ids,
      startedAt: 1_700_000_001_000,
      endedAt: 1_700_000_005_000,
    }));
    await tracing.stop(2000);
    const { traceId, spanId, startTimeUnixNano, endTimeUnixNano } = collector.one('old');
    assert.deepEqual([traceId, spanId], [ids.traceId, ids.spanId]);
    assert.deepEqual(
      [startTimeUnixNano, endTimeUnixNano],
      [1_700_000_001n * 10n ** 9n, 1_700_000_005n * 10n ** 9n],
    );
  });

  it('samples as the caller has, and a root as the sampler says, alike in every service', async (t) => {
    const collector = await startCollector(t);
    const tracing = await start(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    });
    const under = (name: string, traceId: string, sampled: boolean | null) => {
      const parent = { traceId, spanId: '1'.repeat(16), sampled };
      return inSpan(
        () => ({ name, attributes: {}, parent }),
        () => Promise.resolve(),
      );
    };
    // The SDK's ratio looks at the exclusive or of the trace id's four words.
    const [low, high] = ['0'.repeat(24) + '1'.repeat(8), '0'.repeat(24) + 'f'.repeat(8)];
    for (const [which, traceId] of Object.entries({ low, high })) {
      await under(`${which} caller yes`, traceId, true);
      await under(`${which} caller no`, traceId, false);
      await under(`${which} root`, traceId, null);
      const ids = { traceId, spanId: '1'.repeat(16) };
      addSpan(() => ({ name: `${which} itself`, attributes: {}, parent: null, ids, endedAt: Date.now() }));
    }
    await tracing.stop(2000);
    const sent = collector.spans.map(({ name }) => name);
    assert.deepEqual(sent, ['low caller yes', 'low root', 'low itself', 'high caller yes']);
  });

  it('holds content only when asked for it, and scrubbed', async (t) => {
    const collector = await startCollector(t);
    const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const closed = await start(t, variables);
    assert.equal(
      content(() => assert.fail('nobody reads it')),
      undefined,
    );
    await closed.stop(1000);
    Object.assign(process.env, variables, { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' });
    const settings = { service: 's', agent: 'a', log: log as never };
    const open = await startTracing({ ...settings, scrub: (text) => text.replaceAll('hunter2', '[secret]') });
    assert.equal(
      content(() => [{ text: 'it is hunter2', at: 3 }]),
      '[{"text":"it is [secret]","at":3}]',
    );
    await open.stop(1000);
  });
});

describe('a collector that does not take spans', () => {
  const quick = { OTEL_EXPORTER_OTLP_TIMEOUT: '100' };

  it('is not there: the work goes on, and it is said once', async (t) => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => server.close(done));
    const tracing = await start(t, { ...quick, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    assert.equal(await inSpan(draft, () => Promise.resolve('done')), 'done');
    await tracing.stop(2000);
    assert.equal(complaints.length, 1);
  });

  it('hangs: the stop ends at its deadline', async (t) => {
    const collector = await startCollector(t, { answers: false });
    const tracing = await start(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_TIMEOUT: '400',
    });
    await inSpan(draft, () => Promise.resolve());
    const began = performance.now();
    await tracing.stop(50);
    assert.ok(performance.now() - began < 350);
    assert.match(complaints.join(), /not all sent within 50 ms/);
  });

  it('has an address that is none: the work goes on', async (t) => {
    const tracing = await start(t, { ...quick, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://' });
    assert.equal(await inSpan(draft, () => Promise.resolve('done')), 'done');
    await tracing.stop(2000);
    assert.ok(complaints.length > 0);
  });

  it('leaves the work alone when a span cannot even be described', async (t) => {
    await start(t, { ...quick, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    const broken = () => {
      throw new Error('no such span');
    };
    assert.equal(await inSpan(broken, () => Promise.resolve('done')), 'done');
    addSpan(broken);
    assert.match(complaints.join(), /no such span/);
  });
});
