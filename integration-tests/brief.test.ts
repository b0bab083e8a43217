/**
 * One line from a person, planned by Claude, carried out by Ollama, brought together by two tiers. All is real but the
 * providers' HTTP APIs, which answer from what they are asked.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { traceOfMission } from '#chassis/mission-trace.ts';
import { type Collector, type ReceivedSpan, startCollector } from '#chassis/span-collector.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { checkBooks, readAll, verifyAll } from './books.ts';
import { type Namespace, openNamespace, realRoles } from './harness.ts';
import { type Asked, calls, type Mind, type Minds, plans, says, startMinds } from './minds.ts';

const birds = ['raven', 'crow', 'rook', 'jackdaw', 'magpie', 'jay', 'chough', 'owl', 'wren', 'swift'];
const guide = 'Write a field guide to ten birds.';
const guideWithMarket = 'Write a field guide to nine birds, and say who would buy it.';
const roles = ['orchestrator', 'researcher', 'analyst', 'drummer', 'camina'];

const research = (bird: string) => ({
  id: bird,
  role: 'researcher',
  description: `Write what is known of the ${bird} into research/${bird}.md, and say how many words that is.`,
});

/** The planner: looks at the workspace first, as it may, and then plans the brief that it was told. */
const plan: Mind = (asked) => {
  if (asked.told.includes('badly')) return planBadly(asked);
  if (asked.results.length === 0) return calls({ name: 'workspace_list', input: { path: '.' } });
  if (!asked.told.includes(guideWithMarket)) return plans(...birds.map(research));
  const market = { id: 'market', role: 'analyst', description: 'Say who buys field guides.' };
  return plans(...birds.slice(0, 9).map(research), market);
};

/** A role that nobody has, and two tasks that wait for each other; mended when it is told, unless it is stubborn. */
const planBadly = ({ told, request }: Asked) => {
  const first = request.messages.length === 1;
  const repaired = plans(research('raven'));
  const bad = plans(
    { id: 'fly', role: 'pilot', description: 'Fly.', needs: ['land'] },
    { id: 'land', role: 'researcher', description: 'Land.', needs: ['fly'] },
  );
  return first || told.includes('stubbornly') ? bad : repaired;
};

/** Writes a file, reads it, counts its words with a program, and says what the program said. */
const researcher: Mind = ({ told, results }) => {
  const path = /research\/(\w+)\.md/.exec(told)?.[0] ?? '';
  const bird = /research\/(\w+)\.md/.exec(told)?.[1] ?? '';
  switch (results.length) {
    case 0:
      return calls({ name: 'workspace_write', input: { path, content: `The ${bird} is a bird.\n` } });
    case 1:
      return calls({ name: 'workspace_read', input: { path } });
    case 2:
      return calls({
        name: 'execute_terminal_command',
        input: { argv: ['wc', '-w', path], idempotent: true },
      });
    default:
      return says(`${path} has ${/(\d+) research/.exec(results[2] ?? '')?.[1] ?? 'unknown'} words.`);
  }
};

/** What it was told of the tasks below: what they say, and what is missing with the reason. */
const drummer: Mind = ({ task, needs, results }) => {
  const so = needs.filter(({ status }) => status === 'completed');
  const gone = needs.filter(({ status }) => status !== 'completed');
  const text = [
    ...so.map(({ id, result }) => `So: ${result} (${id})`),
    ...gone.map(({ id, result }) => `Missing: ${id}, ${result}`),
  ].join('\n');
  return results.length === 0
    ? calls({ name: 'workspace_write', input: { path: `synthesis/${task}.md`, content: text } })
    : says(text);
};

const camina: Mind = ({ needs }) => {
  const lines = needs.flatMap(({ result }) => result.split('\n'));
  const missing = lines.filter((line) => line.startsWith('Missing: '));
  const so = lines.filter((line) => line.startsWith('So: '));
  return says([`The guide has ${so.length} birds.`, ...missing].join('\n'));
};

const speaksFor: Readonly<Record<string, Mind>> = { researcher, drummer, camina };
/** Whose prompt it is says who is asked. */
const nameIn = ({ system }: Asked['request']) => /You are (?:the )?(\w+)/.exec(system)?.[1] ?? '';

const ollama: Mind = (asked, signal) => {
  const mind = speaksFor[nameIn(asked.request)] ?? assert.fail(`Ollama is ${nameIn(asked.request)}`);
  return mind(asked, signal);
};
/** Claude plans, and is the analyst, who declines to say anything of money after a look around. */
const claude: Mind = (asked, signal) => {
  if (nameIn(asked.request) === 'orchestrator') return plan(asked, signal);
  assert.equal(nameIn(asked.request), 'analyst');
  return asked.results.length === 0 ? calls({ name: 'workspace_list' }) : { text: '', stop: 'refusal' };
};
const gpt: Mind = (asked, signal) => {
  assert.equal(nameIn(asked.request), 'orchestrator', 'GPT is only asked to plan');
  return plan(asked, signal);
};

const planOf = (space: Namespace, mission: string) =>
  space.facts
    .of(mission)
    .findLast((fact): fact is EventOf<'plan_created'> => fact.event_type === 'plan_created')?.payload;

const completed = async (space: Namespace, mission: string) => {
  const end = await space.facts.end(mission);
  assert.ok(end.event_type === 'mission_completed', JSON.stringify(end.payload));
  return end.payload;
};

test('a mission from a one-line brief', { timeout: 180_000 }, async (t) => {
  const space = await openNamespace(t, { roles, roleFiles: realRoles(...roles) });
  const minds = await startMinds(t, { anthropic: claude, openai: gpt, ollama });
  const collector = await startCollector(t);
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200' };
  const thinking = { ...minds.env, RAVENHELM_MODEL_ANALYST: 'anthropic/claude-haiku-5-5' };
  await Promise.all([
    space.start('orchestrator', { env: tracing }),
    space.start('worker', { env: { ...tracing, ...thinking } }),
    space.start('projector'),
  ]);

  await t.test('planned by Claude, done by Ollama, brought together by both tiers', async () => {
    const before = minds.charged();
    const mission = await space.submit({ brief: guide, name: 'guide' });
    const { result, missing } = await completed(space, mission);
    assert.deepEqual(missing, []);
    assert.equal(result, 'The guide has 10 birds.');
    checkPlan(space, mission, minds);
    checkWork(space, mission, minds);
    const { nanos, read } = await checkBooks(space, mission);
    assert.ok(nanos > 0, 'Claude costs something');
    assert.equal(nanos, minds.charged() - before, 'what the providers charged, to the nano-dollar');
    assert.ok(read > 0, 'the second call of the planner reads the prompt from the cache');
    await checkTrace(t, space, mission, collector);
  });

  await t.test(
    'a model that declines: its drummer is told, and the answer names what is missing',
    async () => {
      const before = minds.charged();
      const mission = await space.submit({ brief: guideWithMarket });
      const { result, missing } = await completed(space, mission);
      assert.deepEqual(missing, ['market']);
      assert.match(result, /^The guide has 9 birds\.\nMissing: market, model_refused: /);
      const told = minds.fakes.ollama.calls
        .map(({ request }) => request)
        .filter((request) => nameIn(request) === 'drummer')
        .filter(({ messages }) => messages[0]?.text.includes('from task market of analyst, failed⟧'));
      assert.ok(told.length > 0, 'a drummer was told');
      const { nanos } = await checkBooks(space, mission);
      assert.equal(nanos, minds.charged() - before, 'what was declined is charged, and booked');
    },
  );

  await t.test('a plan that is wrong goes back once with all that is wrong', async () => {
    const mission = await space.submit({ brief: 'Plan badly.' });
    await completed(space, mission);
    const asked = minds.fakes.anthropic.calls.filter(({ request }) =>
      request.messages[0]?.text.includes('Plan badly.'),
    );
    const repair = asked.at(-1)?.request.messages.at(-1)?.text ?? '';
    assert.equal(asked.length, 2);
    assert.match(repair, /tasks\[0\]\.role of "fly": found "pilot", expected one of /);
    assert.match(repair, /cycle of needs: /);
    assert.deepEqual(
      planOf(space, mission)?.tasks.map(({ id }) => id),
      ['raven'],
    );
  });

  await t.test('a plan that is wrong again fails the planning', async () => {
    const mission = await space.submit({ brief: 'Plan badly, and stubbornly.' });
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_failed');
    assert.match(end.payload.message, /^task plan failed \(invalid_output\): /);
    const failed = space.facts.of(mission).find(({ event_type }) => event_type === 'task_failed');
    assert.equal((failed as EventOf<'task_failed'>).payload.code, 'invalid_output');
    await checkBooks(space, mission);
  });

  await t.test('OpenAI plans while Claude is overloaded', async () => {
    const refused = minds.fakes.anthropic.refused.length;
    minds.fakes.anthropic.fail(
      ...Array.from({ length: 4 }, () => ({ fault: 'status', status: 529 }) as const),
    );
    const before = minds.charged();
    const mission = await space.submit({ brief: guide, options: { ...noOptions, plan_only: true } });
    await completed(space, mission);
    assert.equal(minds.fakes.anthropic.refused.length - refused, 4, 'all tries of Claude');
    assert.equal(planOf(space, mission)?.made_by, 'orchestrator');
    const { nanos } = await checkBooks(space, mission);
    assert.ok(minds.fakes.openai.calls.length > 0);
    assert.equal(nanos, minds.charged() - before, 'at the prices of who answered');
  });

  await verifyAll(space);
});

/** The planner was told the roles; the plan is its own, with both tiers over it. */
function checkPlan(space: Namespace, mission: string, { fakes }: Minds): void {
  const made = planOf(space, mission);
  assert.equal(made?.made_by, 'orchestrator');
  const count = (role: string) => made?.tasks.filter((task) => task.role === role).length;
  assert.deepEqual(['researcher', 'drummer', 'camina'].map(count), [10, 2, 1]);
  const [first, second] = fakes.anthropic.calls;
  for (const role of roles.slice(1))
    assert.match(first?.request.system ?? '', new RegExp(`^- ${role}: \\w`, 'm'), 'told the roles');
  assert.ok((first?.usage?.cacheWrite ?? 0) > 0);
  assert.ok((second?.usage?.cacheRead ?? 0) >= (first?.usage?.cacheWrite ?? 0), 'all of the first is read');
}

/** Each tier was asked at its temperature, and the tools really ran. */
function checkWork(space: Namespace, mission: string, { fakes }: Minds): void {
  const heat = new Map<string, Set<number | null>>();
  for (const { request } of fakes.ollama.calls) {
    const name = nameIn(request);
    heat.set(name, (heat.get(name) ?? new Set()).add(request.temperature));
  }
  assert.deepEqual(Object.fromEntries([...heat].map(([name, each]) => [name, [...each]])), {
    researcher: [0.7],
    drummer: [0.4],
    camina: [0.2],
  });
  for (const bird of birds)
    assert.equal(
      readFileSync(space.file(mission, `research/${bird}.md`), 'utf8'),
      `The ${bird} is a bird.\n`,
    );
  const synthesis = [1, 2].map((n) =>
    readFileSync(space.file(mission, `synthesis/synthesis-${n}.md`), 'utf8'),
  );
  for (const bird of birds)
    assert.match(synthesis.join('\n'), new RegExp(`research/${bird}.md has 5 words\\. \\(${bird}\\)`));
}

/** One trace id in the headers of all records of the mission, and in all spans, each below the right one. */
async function checkTrace(t: TestContext, space: Namespace, mission: string, collector: Collector) {
  const { topics } = space.context;
  const named = [
    topics.coordination,
    topics.reports,
    topics.steps,
    ...roles.map((role) => topics.tasks(role)),
  ];
  const records = (await Promise.all(named.map((topic) => readAll(space, topic))))
    .flat()
    .filter(({ value }) => value.correlation_id === mission);
  const traces = new Set(records.map(({ trace }) => trace));
  const without = records.filter(({ trace }) => trace === '').map(({ value }) => value.event_type);
  assert.deepEqual([...new Set(without)], [], 'records without a trace');
  assert.equal(traces.size, 1);
  const [traceId = ''] = traces;

  const { spanId } = traceOfMission(mission, null);
  const ofMission = () => collector.spans.filter((span) => span.traceId === traceId);
  const of = (prefix: string) => ofMission().filter(({ name }) => name.startsWith(prefix));
  for (let i = 0; i < 100 && of('mission guide').length + of('task ').length < 15; i++) await sleep(100);
  const [root] = of('mission guide');
  assert.deepEqual([root?.spanId, root?.parentSpanId], [spanId, undefined], 'the mission is the root');
  assert.ok(
    typeof root?.attributes['ravenhelm.cost_usd'] === 'number' && root.attributes['ravenhelm.cost_usd'] > 0,
  );
  const below = (spans: readonly ReceivedSpan[], parents: readonly ReceivedSpan[], what: string) => {
    const ids = new Set(parents.map((parent) => parent.spanId));
    const strays = spans.filter(({ parentSpanId = '' }) => !ids.has(parentSpanId)).map(({ name }) => name);
    assert.deepEqual(strays, [], what);
  };
  assert.equal(of('plan').length, 1);
  assert.equal(of('task ').length, 14, '1 plan, 10 workers, 2 drummers, camina');
  assert.equal(of('chat claude-sonnet-5-5').length, 2);
  assert.equal(of('chat llama3.1').length, 10 * 4 + 2 * 2 + 1);
  assert.equal(of('execute_tool ').length, 1 + 10 * 3 + 2);
  below([...of('plan'), ...of('task ')], of('mission guide'), 'plan and tasks are below the mission');
  below([...of('chat '), ...of('execute_tool ')], of('task '), 'calls are below their tasks');
  t.diagnostic(`${records.length} records and ${ofMission().length} spans in one trace`);
}

test('without any model the heuristic plans', { timeout: 120_000 }, async (t) => {
  const space = await openNamespace(t, { roles, roleFiles: realRoles(...roles) });
  const none = { ANTHROPIC_API_KEY: '', OPENAI_API_KEY: '', OLLAMA_HOST: 'http://127.0.0.1:9' };
  await Promise.all([space.start('orchestrator'), space.start('worker', { env: none })]);
  const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 1 };
  const mission = await space.submit({ brief: guide, limits, options: { ...noOptions, plan_only: true } });
  await completed(space, mission);
  const [fallback] = space.facts.of(mission).filter((fact) => fact.event_type === 'plan_created');
  assert.equal(fallback?.payload.made_by, 'fallback');
  const made = planOf(space, mission);
  assert.equal(made?.made_by, 'heuristic');
  assert.match(
    fallback.payload.notes[0] ?? '',
    /^no model could plan \(model_failed\): .*ANTHROPIC_API_KEY is not set/,
  );
  assert.ok(made.tasks.length >= 3, `${made.tasks.length} tasks`);
  await verifyAll(space);
});
