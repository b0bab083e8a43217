import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { catalogue } from '#chassis/failures.ts';
import { createCodec } from '#schemas/codec.ts';
import { missionCommand, noOptions } from '#schemas/mission-command.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { MissionOptions } from '#schemas/types.gen.ts';
import { type MissionFields, parseMission } from './load.ts';
import { missionToFile } from './print.ts';

/** Whatever a mission file may say: made as such a file, so that it is nothing that no file can say. */
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc
    .array(fc.constantFrom('a', ' ', '\n', '\t', '#', ': ', '- ', '"', '|', 'null', '{{payload.x}}', '🐦'), {
      maxLength: 12,
    })
    .map((parts) => parts.join('')),
);
const words = text.filter((each) => each !== '');
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/);
const role = fc.constantFrom('developer', 'tester', 'ux_designer', 'null');
const model = fc.constantFrom('ollama/llama3.1', 'openai/a:b', 'anthropic/x');
const ms = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const duration = fc.oneof(ms, fc.constantFrom('500ms', '1.5s', '5m', '2h'));
const priority = fc.constantFrom('high', 'normal', 'low');
const severity = fc.constantFrom('info', 'warning', 'error', 'critical');
const count = (most: number) => fc.integer({ min: 1, max: most });
const plain = fc.oneof(text, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean());
const json = fc.oneof(
  plain,
  fc.constant(null),
  fc.array(plain, { maxLength: 3 }),
  fc.dictionary(
    text.filter((key) => key !== '__proto__'),
    plain,
    { maxKeys: 3 },
  ),
);
const script = fc.array(
  fc.oneof(
    fc.record({ run: words, idempotent: some(fc.boolean()), timeout: some(duration) }),
    fc.record({ write: words, content: text, mode: some(fc.constantFrom('create', 'append')) }),
    fc.record({ list: text, recursive: some(fc.boolean()) }),
    fc.record({
      tool: words,
      arguments: some(
        fc.dictionary(
          text.filter((key) => key !== '__proto__'),
          json,
          { maxKeys: 3 },
        ),
      ),
      allow_failure: some(fc.boolean()),
    }),
  ),
  { maxLength: 2 },
);
const amounts = {
  tokens: some(fc.nat()),
  calls: some(fc.nat(1000)),
  usd: some(fc.oneof(fc.double({ min: 0, max: 1_000_000, noNaN: true }), fc.constantFrom(1e-9, 0.25))),
  time: some(duration),
};
const scalars = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null));
const path = fc.constantFrom('payload.code', 'payload.task_id', 'data.n', '7');
const condition = fc.oneof(
  fc.record({ path, op: fc.constantFrom('eq', 'ne', 'gt', 'lte', 'matches'), value: json }),
  fc.record({ path, op: fc.constant('in'), value: fc.array(scalars, { maxLength: 2 }) }),
  fc.record({ path, op: fc.constant('exists'), value: some(fc.boolean()) }),
);
const where = fc.oneof(
  fc.array(condition, { maxLength: 3 }),
  fc.dictionary(path, fc.oneof(scalars, fc.array(scalars, { maxLength: 2 })), { maxKeys: 2 }),
);
const glob = fc.constantFrom('task_completed', 'StoryApproved', 'story.*', 'null', 'a b', '*');
const pattern = fc.oneof(
  glob,
  fc.record({
    type: glob,
    source: some(glob),
    target: some(glob),
    severity: some(severity),
    topic: some(glob),
    where: some(where),
  }),
);
const emission = fc.oneof(
  id,
  fc.record({ name: id, topic: some(text), severity: some(severity), data: some(json) }),
);
const template = fc.record({
  id: some(words),
  role,
  routes: some(fc.array(fc.record({ when: where, role }), { maxLength: 2 })),
  description: some(text),
  script: some(script),
  answer: some(text),
  timeout: some(duration),
  max_attempts: some(count(100)),
  priority: some(priority),
  model: some(model),
});
const action = fc.oneof(
  fc.record({ task: template, reason: some(text) }),
  fc.record({ emit: emission, reason: some(text) }),
  fc.record({ pause: words }),
);
const subscription = fc
  .tuple(fc.record({ role: some(role), on: pattern, most: some(count(1000)) }), action)
  .map(([about, what]) => ({ ...about, ...what }));
/** Some with a name of their own, beside those that get one. */
const events = fc.array(fc.tuple(pattern, fc.boolean()), { minLength: 1, maxLength: 4 }).map((list) =>
  list.map(([each, has], at) => {
    if (!has) return each;
    return { ...(typeof each === 'string' ? { type: each } : each), name: `n${at}` };
  }),
);
const aggregator = fc.record({
  events,
  timeout: duration,
  on_complete: some(action),
  on_timeout: some(action),
});
const task = fc.record({
  role,
  description: some(text),
  timeout: some(duration),
  max_attempts: some(count(100)),
  script: some(script),
  answer: some(text),
  model: some(model),
  partial: some(fc.boolean()),
  compensation: some(fc.record({ description: words, script: some(script), answer: some(text) })),
  budget: some(fc.record(amounts)),
  priority: some(priority),
  mission: some(fc.oneof(words, fc.record({ brief: text, on_failure: fc.constant('continue') }))),
});
const code = fc.constantFrom(
  ...Object.entries(catalogue).flatMap(([name, { lands }]) => (lands === 'task' ? [name] : [])),
);
const retry = fc
  .record({
    code: some(code),
    role: some(role),
    max_attempts: some(count(20)),
    initial: some(fc.integer({ min: 1, max: 60_000 })),
    max: some(fc.integer({ min: 60_000, max: 900_000 })),
  })
  .filter((rule) => !['unauthorized', 'safety_violation', 'outcome_unknown'].includes(rule.code ?? ''));
const named = <T extends object>(list: readonly T[], prefix: string) =>
  list.map((each, at) => ({ name: `${prefix}${at}`, ...each }));
const missionFile = fc
  .record({
    name: some(text),
    brief: words,
    priority: some(priority),
    idempotent: some(fc.boolean()),
    limits: some(
      fc.record({
        max_in_flight: some(count(100_000)),
        task_timeout: some(duration),
        lease: some(duration),
        max_attempts: some(count(100)),
      }),
    ),
    deadline: some(duration),
    on_failure: some(fc.constantFrom('fail_fast', 'continue', 'replan', 'compensate', 'suspend')),
    planner: some(fc.constantFrom('auto', 'model', 'heuristic')),
    agents: some(count(15)),
    hierarchy: some(fc.constantFrom('none', 'tiers')),
    plan_only: some(fc.boolean()),
    review: some(fc.constant('plan')),
    max_replans: some(count(10)),
    models: some(fc.dictionary(fc.oneof(role, fc.constant('default')), model, { maxKeys: 3 })),
    budget: some(
      fc.record({
        ...amounts,
        per_task: some(fc.record(amounts)),
        at_limit: some(fc.constantFrom('stop', 'ask', 'cheaper')),
      }),
    ),
    retries: some(fc.array(retry, { maxLength: 3 })),
    subscriptions: some(fc.array(subscription, { maxLength: 3 }).map((list) => named(list, 's'))),
    aggregators: some(fc.array(aggregator, { maxLength: 2 }).map((list) => named(list, 'a'))),
    emit: some(fc.array(emission, { maxLength: 2 })),
    max_hops: some(count(100)),
    tasks: some(fc.array(task, { minLength: 1, maxLength: 4 })),
  })
  // Something has to happen in it, and of tasks there is an order to keep.
  .map(({ tasks, ...rest }) =>
    tasks === undefined
      ? { ...rest, emit: rest.emit?.length ? rest.emit : ['Begin'] }
      : {
          ...rest,
          tasks: tasks.map((each, at) => ({
            ...{ id: `t${at}`, ...each },
            needs: at > 0 ? [`t${at - 1}`] : [],
          })),
        },
  );

const codec = createCodec(numberedIds());
const command = (fields: MissionFields) =>
  codec.encodeRecord('MissionCommand', missionCommand({ correlation_id: 'm', ...fields }));

test('property: a mission that is saved and read again is the same command, byte by byte', () => {
  const saidOnce = new Set<string>();
  const note = (fields: object, without: object) => {
    for (const [field, value] of Object.entries(fields)) {
      const before: unknown = (without as Record<string, unknown>)[field];
      if (JSON.stringify(value) !== JSON.stringify(before)) saidOnce.add(field);
    }
  };
  const empty = parseMission('brief: b', 'm.yaml');
  fc.assert(
    fc.property(missionFile, (file) => {
      const given = parseMission(JSON.stringify(file), 'm.json');
      const printed = missionToFile(given);
      const again = parseMission(printed, 'again.yaml');
      assert.deepEqual(again, given);
      assert.ok(command(again).equals(command(given)));
      note(given, empty);
      note(given.limits, empty.limits);
      note(given.options ?? {}, noOptions);
    }),
    { numRuns: 400 },
  );
  // Whoever adds a field has to say here how a file says it. What files of roles say is looked up again.
  const never = ['role_retries'];
  const fields = [...Object.keys(empty), ...Object.keys(empty.limits), ...Object.keys(noOptions)];
  assert.deepEqual(
    fields.filter((field) => !saidOnce.has(field)),
    never,
  );
});

const folder = import.meta.dirname;
for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
  test(`${file} is the same mission when it was saved`, () => {
    const mission = parseMission(readFileSync(join(folder, file), 'utf8'), file);
    assert.deepEqual(parseMission(missionToFile(mission), 'again.yaml'), mission);
  });
}

const options = (more: Partial<MissionOptions>): MissionFields => ({
  ...parseMission('brief: b\ntasks: [{ id: a, role: developer }]', 'm.yaml'),
  options: { ...noOptions, ...more },
});

test('settings are printed as a person would write them', () => {
  const fields = parseMission(
    `name: n
brief: b
priority: high
limits: { max_attempts: 2 }
deadline: 1h
models: { default: ollama/a, tester: openai/b }
budget: { usd: 1.5, per_task: { calls: 3 }, at_limit: ask }
retries: [{ code: timeout, role: tester, max_attempts: 5, initial: 5s }]
aggregators:
  - name: both
    events: [{ type: task_completed, where: { payload.task_id: a } }, Approved]
    timeout: 1m
    on_complete: { emit: AllThere }
emit: [{ name: Approved, data: { n: 1 } }]
tasks: [{ id: a, role: tester }]
`,
    'm.yaml',
  );
  assert.equal(
    missionToFile(fields),
    `name: n
brief: b
priority: high
limits:
  max_attempts: 2
deadline: 3600000
models:
  default: ollama/a
  tester: openai/b
budget:
  usd: 1.5
  per_task:
    calls: 3
  at_limit: ask
retries:
  - code: timeout
    role: tester
    max_attempts: 5
    initial: 5000
aggregators:
  - name: both
    events:
      - type: task_completed
        where:
          payload.task_id: a
      - Approved
    timeout: 60000
    on_complete:
      emit: AllThere
emit:
  - name: Approved
    data:
      n: 1
tasks:
  - id: a
    role: tester
    needs: []
`,
  );
});

test('conditions keep their order', () => {
  const fields = parseMission(
    JSON.stringify({
      ...{ brief: 'b', emit: ['E'] },
      subscriptions: [
        {
          ...{ name: 's', pause: 'look' },
          on: {
            where: [
              { path: 'b', value: 1 },
              { path: '7', value: 2 },
            ],
          },
        },
      ],
    }),
    'm.json',
  );
  assert.deepEqual(parseMission(missionToFile(fields), 'm.yaml'), fields);
});

test('settings that no mission file can say are refused, and what they are', () => {
  const refuses = (more: Partial<MissionOptions>, message: RegExp) =>
    assert.throws(() => missionToFile(options(more)), { code: 'invalid_plan', message });
  refuses({ planner: 'none' }, /planner would be another/);
  refuses({ agents: 99 }, /agents: found 99, expected at most 15/);
  const twice = [
    { role: '', model: 'a/b' },
    { role: 'default', model: 'a/c' },
  ];
  refuses({ models: twice }, /models would be another/);
  refuses({ per_task: { tokens: 1, calls: -1, cost_nanos: -1, time_ms: -1 } }, /per_task would be another/);
  const events = [{ name: 'E', topic: '', severity: '', data: '{' }];
  refuses({ events }, /the data of E: found what is not JSON/);
});

test('what roles say is not saved, and a limit of the budget that is not named is the default', () => {
  const budget = { tokens: 5, calls: -1, cost_nanos: -1, time_ms: -1 };
  const rule = { code: 'timeout', role: 'tester', max_attempts: 2, initial_ms: 0, max_ms: 0 };
  const read = parseMission(missionToFile(options({ budget, role_retries: [rule] })), 'm.yaml').options;
  assert.deepEqual(read, { ...noOptions, budget, on_exhausted: 'stop' });
});
