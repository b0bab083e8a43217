/** Against a real HTTP server that answers as registries, proxies and login pages do. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { catalog } from './catalog.ts';
import { createCodec, openCodec } from './codec.ts';
import { registerAll } from './register.ts';
import { registryHttp } from './registry-http.ts';

type Answer = (asked: IncomingMessage, answer: ServerResponse, count: number) => void;

const json = (answer: ServerResponse, status: number, body: unknown) =>
  answer
    .writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
    .end(JSON.stringify(body));
const html = (answer: ServerResponse, status: number) =>
  answer.writeHead(status, { 'content-type': 'text/html' }).end('<html><body>Please log in</body></html>');

/** A server, its address, and how often it was asked. */
async function served(t: TestContext, answer: Answer) {
  const state = { url: '', asked: 0 };
  const server = createServer((asked, answering) => {
    state.asked += 1;
    const count = state.asked;
    asked.resume().on('end', () => answer(asked, answering, count));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}

const signal = () => AbortSignal.timeout(20_000);
const missionsSubject = 'ravenhelm.missions-value';
const unavailable = { code: 'registry_unavailable' };

/** As a registry answers that has everything. */
const whole: Answer = (asked, answer, count) => {
  if (asked.url?.startsWith('/config')) return json(answer, 200, { compatibilityLevel: 'FULL_TRANSITIVE' });
  return json(answer, 200, { subject: 's', id: count, version: 1, schema: '"string"' });
};

const transient: readonly (readonly [string, Answer])[] = [
  ['503', (_asked, answer) => json(answer, 503, { error_code: 50301, message: 'starting' })],
  ['503 with a page', (_asked, answer) => html(answer, 503)],
  ['429', (_asked, answer) => answer.writeHead(429, { 'retry-after': '0' }).end()],
  ['a reset', (asked) => asked.socket.destroy()],
];
for (const [name, refuse] of transient) {
  test(`a registry that answers one of many look-ups with ${name} is asked again`, async (t) => {
    const registry = await served(t, (asked, answer, count) =>
      count === 17 ? refuse(asked, answer, count) : whole(asked, answer, count),
    );
    const codec = await openCodec(registry.url, { missionsSubject, signal: signal() });
    assert.equal(registry.asked, catalog.length + 1);
    assert.ok(codec.encodeRecord('MissionPlan', { mission_id: 'm', tasks: [] }).readInt32BE(1) > 0);
  });
}

test('a registry that stays away is given up in a few seconds', async (t) => {
  const registry = await served(t, (_asked, answer) =>
    json(answer, 503, { error_code: 50301, message: 'no' }),
  );
  const asking = registryHttp(registry.url).find('s', '"string"', signal());
  await assert.rejects(asking, { ...unavailable, message: /answered 503: .*50301/ });
  assert.equal(registry.asked, 6);
});

test('a request is given up when the signal says so, also between two tries', async (t) => {
  const giveUp = new AbortController();
  const registry = await served(t, (_asked, answer, count) => {
    if (count === 3) setImmediate(() => giveUp.abort());
    answer.writeHead(503).end();
  });
  await assert.rejects(registryHttp(registry.url).find('s', '"string"', giveUp.signal), { code: 'aborted' });
});

const pages: readonly (readonly [string, Answer])[] = [
  ['a login page with 200', (_asked, answer) => html(answer, 200)],
  [
    'a redirect to a login page',
    (asked, answer) =>
      asked.url === '/login' ? html(answer, 200) : answer.writeHead(302, { location: '/login' }).end(),
  ],
  ["a proxy's page with 404", (_asked, answer) => html(answer, 404)],
  ["a proxy's JSON with 404", (_asked, answer) => json(answer, 404, { error: 'no such route' })],
  ['no content', (_asked, answer) => answer.writeHead(204).end()],
  ['JSON that is no answer', (_asked, answer) => json(answer, 200, { ok: true })],
  ['the schema id 0', (_asked, answer) => json(answer, 200, { subject: 's', id: 0, version: 1 })],
  ['a schema id that is none', (_asked, answer) => json(answer, 200, { subject: 's', id: '7', version: 1 })],
];
for (const [name, answer] of pages) {
  test(`${name} is no registry: nothing is written with a schema id from there`, async (t) => {
    const registry = await served(t, answer);
    await assert.rejects(openCodec(registry.url, { missionsSubject, signal: signal() }), unavailable);
    const entries = catalog.slice(0, 1);
    const registering = registerAll({ url: registry.url, missionsSubject, signal: signal(), entries });
    await assert.rejects(registering, unavailable);
    const http = registryHttp(registry.url);
    if (!name.includes('schema id'))
      for (const ask of [
        () => http.schemaOf(7, signal()),
        () => http.compatibilityOf('s', signal()),
        () => http.setCompatibility('s', 'FULL', signal()),
        () => http.incompatibility('s', '"string"', signal()),
        () => http.versionsOf('s', signal()),
      ])
        await assert.rejects(ask(), unavailable);
  });
}

test('a registration that is answered with a page, or without an id, is none', async (t) => {
  for (const registered of [
    (answer: ServerResponse) => html(answer, 200),
    (answer: ServerResponse) => json(answer, 200, { id: 0 }),
  ]) {
    const registry = await served(t, (asked, answer) => {
      if (asked.method === 'POST' && asked.url?.endsWith('/versions')) return registered(answer);
      if (asked.url?.startsWith('/config'))
        return json(answer, 200, { compatibilityLevel: 'FULL_TRANSITIVE' });
      return json(answer, 404, { error_code: 40403, message: 'not found' });
    });
    const entries = catalog.slice(0, 1);
    const registering = registerAll({ url: registry.url, missionsSubject, signal: signal(), entries });
    await assert.rejects(registering, unavailable);
  }
});

test("the registry's own no is an answer", async (t) => {
  const registry = await served(t, (_asked, answer) =>
    json(answer, 404, { error_code: 40403, message: 'none' }),
  );
  const http = registryHttp(registry.url);
  assert.equal(await http.schemaOf(7, signal()), null);
  assert.equal(await http.find('s', '"string"', signal()), null);
  assert.equal(await http.compatibilityOf('s', signal()), null);
  assert.equal(await http.incompatibility('s', '"string"', signal()), null);
  assert.deepEqual(await http.versionsOf('s', signal()), []);
  assert.equal(registry.asked, 5);
});

test('a codec takes no schema id that no registry gives, and asks for none', async () => {
  const ids = new Map(catalog.map(({ fullName }, i) => [fullName, i]));
  assert.throws(() => createCodec(ids), unavailable);
  const codec = createCodec(new Map(catalog.map(({ fullName }, i) => [fullName, i + 1])), () =>
    assert.fail('it is asked'),
  );
  for (const id of [0, -1]) {
    const bytes = Buffer.alloc(6);
    bytes.writeInt32BE(id, 1);
    assert.ok(codec.knows(bytes));
    assert.throws(() => codec.decode(bytes), { code: 'schema_unknown' });
  }
});
