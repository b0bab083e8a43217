/** What agents say to each other, on the real stack: by tools alone, and all of it on the ledger. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { childId } from '#orchestrator/children.ts';
import type { FactType } from '#orchestrator/facts.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, Script, TaskSpec } from '#schemas/types.gen.ts';
import { unquote } from '#worker/safety/quote.ts';
import { squadToolNames } from '#worker/tools/squad.ts';
import { verifyAll } from './books.ts';
import { commandLine } from './command-line.ts';
import { type Namespace, openNamespace, realRoles } from './harness.ts';
import { calls, type Mind, says, startMinds } from './minds.ts';

const tools = [...squadToolNames, 'execute_terminal_command'].join(', ');
const roleFile = (name: string, front: string) => `---
name: ${name}
description: A role of the tests.
limits: { max_steps: 20, timeout_ms: 60000, concurrency: 16 }
${front}
---
You are ${name}.
`;
const roleFiles = {
  speaker: roleFile('speaker', `tools: [${tools}]\nsandbox: { shell: true }`),
  thinker: roleFile('thinker', 'model: { provider: anthropic, name: claude-haiku-4-5 }\ntools: [hand_off]'),
  reader: roleFile('reader', 'model: { provider: anthropic, name: claude-haiku-4-5 }'),
  ...realRoles('orchestrator'),
};

/** A thinker hands its task over; a reader answers with what it was told. */
const mind: Mind = ({ request, told }) =>
  request.tools.includes('hand_off')
    ? calls({
        name: 'hand_off',
        input: { role: 'reader', context: 'The tables are half moved.', reason: 'it reads better' },
      })
    : says(told);

/** Whoever chooses a style, a mission of its own looks at it. */
const standing = `
subscriptions:
  - name: look-at-styles
    role: speaker
    on: { type: StyleChosen, topic: "team.*" }
    task: { id: inspect, description: "Inspect {{data.by}}", script: [{ tool: emit_event, arguments: { name: Inspected } }] }
`;

type Step = readonly [tool: string, args: object, allow_failure?: boolean];
const script = (steps: readonly Step[], answer = 'done'): Script => ({
  calls: steps.map(([tool, args, allow_failure = false]) => ({
    tool,
    arguments: JSON.stringify(args),
    allow_failure,
  })),
  answer,
});
const speaker = (id: string, steps: readonly Step[], more: Partial<TaskSpec> = {}): TaskSpec =>
  taskSpec({ id, role: 'speaker', script: script(steps), ...more });
const shell = (command: string): Step => ['execute_terminal_command', { command, idempotent: true }];

const factsOf = <T extends FactType>(space: Namespace, mission: string, type: T): EventOf<T>['payload'][] =>
  space.facts
    .of(mission)
    .flatMap((fact) => (fact.event_type === type ? [fact.payload as EventOf<T>['payload']] : []));

async function completed(space: Namespace, mission: string): Promise<void> {
  const end = await space.facts.end(mission);
  const told = space.facts.of(mission).map(({ event_type, payload }) => [event_type, payload]);
  assert.equal(end.event_type, 'mission_completed', JSON.stringify(told, null, 1));
}
const resultOf = (space: Namespace, mission: string, id: string): string =>
  factsOf(space, mission, 'task_completed').find(({ task_id }) => task_id === id)?.result ?? '';

/** What is quoted in what an agent was told. */
const quotesIn = (told: string): string[] =>
  (told.match(/⟦data [^⟧]*⟧[^⟦⟧]*⟦end \w+⟧/g) ?? []).map((quote) => unquote(quote)?.text ?? '');

test('agents speak to each other', { timeout: 240_000 }, async (t) => {
  const space = await openNamespace(t, { roles: Object.keys(roleFiles), roleFiles });
  const minds = await startMinds(t, { anthropic: mind });
  const { ravenhelm } = commandLine(space);
  const file = join(space.folder, 'standing.yaml');
  writeFileSync(file, standing);
  const applied = await ravenhelm(['aggregators', 'apply', file]);
  assert.equal(applied.code, 0, applied.stderr);
  await Promise.all([
    space.start('orchestrator'),
    space.start('correlator'),
    space.start('worker', { env: minds.env }),
    space.start('worker', { env: minds.env }),
  ]);

  await t.test('a task is handed over to another role, with its context', async () => {
    const mission = await space.submit({
      tasks: [taskSpec({ id: 'move', role: 'thinker', description: 'Move the tables.', max_attempts: 1 })],
    });
    await completed(space, mission);
    const [handed] = factsOf(space, mission, 'agent_handoff');
    assert.deepEqual(
      [handed?.from_role, handed?.to_role, handed?.reason, handed?.attempt, handed?.steps],
      ['thinker', 'reader', 'it reads better', 1, 2],
    );
    assert.ok((handed?.usage.calls ?? 0) === 1 && (handed?.usage.input_tokens ?? 0) > 0);
    const assigned = factsOf(space, mission, 'task_assigned');
    assert.deepEqual(
      assigned.map(({ task_id, role }) => [task_id, role]),
      [
        ['move', 'thinker'],
        ['move', 'reader'],
      ],
    );
    const told = resultOf(space, mission, 'move');
    assert.match(told, /^Task move:\nMove the tables\./);
    assert.match(quotesIn(told).join(), /The tables are half moved\./);
    const end = await space.facts.end(mission);
    assert.ok(end.event_type === 'mission_completed');
    assert.equal(end.payload.usage.calls, 2);
  });

  await t.test('one task waits for what another provides, and a later one finds it there', async () => {
    const api = { name: 'api', reason: 'to call it' };
    const mission = await space.submit({
      tasks: [
        speaker('wants', [['require_dependency', api]], {
          script: script([['require_dependency', api]], ''),
        }),
        speaker('makes', [
          shell('until test -f asked; do sleep 0.02; done'),
          ['provide_dependency', { name: 'api', value: 'GET /ravens' }],
        ]),
        speaker('later', [['require_dependency', api]], {
          needs: ['wants'],
          script: script([['require_dependency', api]], ''),
        }),
      ],
    });
    await space.facts.until(
      () => factsOf(space, mission, 'dependency_required').length > 0,
      'a task that waits',
    );
    // The workspace may not be there yet, as the other task may not have begun.
    const asked = space.file(mission, 'asked');
    mkdirSync(dirname(asked), { recursive: true });
    writeFileSync(asked, '');
    await completed(space, mission);
    assert.deepEqual(
      [resultOf(space, mission, 'wants'), resultOf(space, mission, 'later')],
      ['GET /ravens', 'GET /ravens'],
    );
    const required = factsOf(space, mission, 'dependency_required');
    assert.deepEqual(
      required.map(({ task_id, dependency, step }) => [task_id, dependency, step]),
      [
        ['wants', 'api', 2],
        ['later', 'api', 2],
      ],
    );
    const wants = factsOf(space, mission, 'task_assigned').filter(({ task_id }) => task_id === 'wants');
    assert.deepEqual(
      wants.map(({ attempt, lease, answers }) => [attempt, lease, answers.map(({ comment }) => comment)]),
      [
        [1, 1, []],
        [1, 2, ['GET /ravens']],
      ],
    );
  });

  await t.test('what nobody can provide is told to the agent', async () => {
    const nothing = { name: 'nothing', reason: 'to see' };
    const mission = await space.submit({
      tasks: [
        speaker('copes', [['require_dependency', nothing, true]]),
        speaker('fails', [['require_dependency', nothing]], { max_attempts: 1 }),
      ],
      on_failure: 'continue',
    });
    await space.facts.end(mission);
    assert.equal(resultOf(space, mission, 'copes'), 'done');
    const [failed] = factsOf(space, mission, 'task_failed');
    assert.deepEqual([failed?.task_id, failed?.code], ['fails', 'tool_failed']);
    assert.match(failed?.message ?? '', /\(require_dependency\): nothing is left that could provide nothing/);
  });

  await t.test(
    'a reaction may provide what the last task waits for; what it does not is told then',
    async () => {
      const any = { name: '', type: '', source: '', target: '', severity: '', topic: '', where: [] };
      const api = { path: 'payload.dependency', op: 'eq', value: '"api"' };
      const made = { role: 'speaker', routes: [], timeout_ms: 0, max_attempts: 0, priority: '', model: '' };
      const mission = await space.submit({
        tasks: [
          speaker('wants', [], {
            script: script(
              [
                ['require_dependency', { name: 'nothing', reason: 'to see' }, true],
                ['require_dependency', { name: 'api', reason: 'to call it' }],
              ],
              '',
            ),
          }),
        ],
        options: {
          ...noOptions,
          subscriptions: [
            {
              name: 'make-it',
              role: 'speaker',
              on: { ...any, type: 'dependency_required', where: [api] },
              reaction: {
                action: 'task',
                task: {
                  ...{ ...made, id: 'make', description: '' },
                  script: script([['provide_dependency', { name: 'api', value: 'GET /owls' }]]),
                },
                emit: null,
                reason: '',
              },
              most: 0,
            },
          ],
        },
      });
      await completed(space, mission);
      assert.equal(resultOf(space, mission, 'wants'), 'GET /owls');
      assert.equal(resultOf(space, mission, 'make'), 'done');
      const raised = factsOf(space, mission, 'error_raised');
      assert.deepEqual(
        raised.map(({ task_id, code, message }) => [task_id, code, message]),
        [['wants', 'dependency_unavailable', 'nothing is left that could provide nothing']],
      );
      const types = space.facts.of(mission).map(({ event_type }) => event_type);
      assert.equal(types[types.indexOf('error_raised') - 1], 'reactions_settled');
    },
  );

  await t.test('a checkpoint is told to the next attempt', async () => {
    const mission = await space.submit({
      tasks: [
        speaker(
          'climb',
          [
            ['save_checkpoint', { name: 'camp one', content: 'The rope is fixed.' }],
            shell('test -f again || { touch again; exit 1; }'),
          ],
          { max_attempts: 2 },
        ),
      ],
    });
    await completed(space, mission);
    const contexts = factsOf(space, mission, 'task_assigned').map(({ attempt, context }) => ({
      attempt,
      context,
    }));
    assert.deepEqual(contexts[0], { attempt: 1, context: '' });
    assert.equal(contexts[1]?.attempt, 2);
    assert.match(contexts[1]?.context ?? '', /camp one\nThe rope is fixed\./);
    assert.equal(factsOf(space, mission, 'checkpoint_created').length, 2);
  });

  const decision = { decision: 'Tabs', reasons: ['wide'], alternatives: ['Spaces'] };
  const together = await space.submit({
    name: 'a style for all',
    tasks: [
      speaker('style', [
        ['share_context', { scope: 'style', content: 'Indent with spaces.' }],
        ['share_context', { scope: 'style', content: 'Indent with tabs.' }],
        ['record_decision', decision],
        [
          'emit_event',
          { name: 'StyleChosen', topic: 'team.style', severity: 'warning', data: { by: 'style' } },
        ],
      ]),
      taskSpec({ id: 'write', role: 'reader', needs: ['style'], description: 'Write it.' }),
      taskSpec({
        id: 'review',
        role: 'orchestrator',
        needs: ['style'],
        description: 'Review it.',
        mission: JSON.stringify({
          name: 'the review',
          tasks: [{ id: 'look', role: 'speaker', script: { calls: [], answer: 'looks good' } }],
        }),
      }),
    ],
  });

  await t.test('what is shared is told to tasks that begin later, as data', async () => {
    await completed(space, together);
    const quoted = quotesIn(resultOf(space, together, 'write')).join();
    assert.match(quoted, /Indent with tabs\./);
    assert.doesNotMatch(quoted, /Indent with spaces\./);
    const hashes = factsOf(space, together, 'context_synced').map(({ content_hash }) => content_hash);
    assert.equal(new Set(hashes).size, 2);
  });

  await t.test('decisions and events are on the ledger, with who said them', async () => {
    const [decided] = factsOf(space, together, 'decision_recorded');
    const { decision: what, reasons, alternatives, task_id, step } = decided ?? {};
    assert.deepEqual({ decision: what, reasons, alternatives }, decision);
    assert.deepEqual([task_id, step], ['style', 6]);
    const fact = space.facts.of(together).find(({ event_type }) => event_type === 'event_emitted');
    assert.ok(fact?.event_type === 'event_emitted');
    const { name, topic, severity, data } = fact.payload;
    assert.deepEqual(
      [fact.source_agent, fact.target_agent, name, topic, severity, data],
      ['speaker', 'squad', 'StyleChosen', 'team.style', 'warning', '{"by":"style"}'],
    );
  });

  await t.test('the timeline tells it all, with the missions that belong to it', async () => {
    const child = childId(together, 'review', 1);
    await space.facts.end(child);
    const emitted = space.facts
      .of(together)
      .find(({ event_type }) => event_type === 'event_emitted')?.event_id;
    const reaction = () =>
      space.facts.all.find(
        ({ event }) =>
          event.event_type === 'mission_accepted' && event.payload.tasks[0]?.caused_by === emitted,
      )?.event.correlation_id ?? '';
    await space.facts.until(() => reaction() !== '', 'a mission that reacts');
    await space.facts.end(reaction());
    const json = await ravenhelm(['timeline', together, '--json']);
    assert.equal(json.code, 0, json.stderr);
    interface Told {
      missions: { id: string; status: string; begun_by: { mission: string; as: string } | null }[];
      events: {
        event_id: string;
        event_type: string;
        cause: { kind: string; event_id?: string; link?: string };
      }[];
    }
    const { missions, events } = JSON.parse(json.stdout) as Told;
    assert.deepEqual(
      missions.map(({ id, status, begun_by }) => [id, status, begun_by?.mission, begun_by?.as]).sort(),
      [
        [together, 'completed', undefined, undefined],
        [child, 'completed', together, 'task'],
        [reaction(), 'completed', together, 'reaction'],
      ].sort(),
    );
    const facts = [together, child, reaction()].flatMap((id) => space.facts.of(id));
    assert.deepEqual(
      events.map(({ event_id }) => event_id).sort(),
      facts.map(({ event_id }) => event_id).sort(),
    );
    // Everything but the person's command has a cause that is there.
    const ids = new Set(events.map(({ event_id }) => event_id));
    const without = events.filter(({ cause }) => cause.kind !== 'fact' || !ids.has(cause.event_id ?? ''));
    assert.deepEqual(
      without.map(({ event_id, cause }) => [event_id, cause.kind]),
      [[`${together}:1`, 'person']],
    );
    const began = events.find(({ event_id }) => event_id === `${child}:1`);
    const assigned = events.find(({ event_id }) => event_id === began?.cause.event_id);
    assert.deepEqual([began?.cause.link, assigned?.event_type], ['mission', 'task_assigned']);

    const reacts = events.find(({ event_id }) => event_id === `${reaction()}:1`);
    assert.deepEqual(reacts?.cause, { kind: 'fact', event_id: emitted, link: 'reacts' });

    const table = await ravenhelm(['timeline', together, '--types', 'StyleChosen,mission_*']);
    const lines = table.stdout.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^m1 {2}a style for all .* completed$/);
    const others = lines.slice(1, 3).sort((a, b) => a.slice(4).localeCompare(b.slice(4)));
    assert.match(
      others[0] ?? '',
      /^m[23] {2}look-at-styles: inspect .* completed {2}a reaction to m1#\d+ StyleChosen, by style/,
    );
    assert.match(others[1] ?? '', /^m[23] {2}the review .* completed {2}a task of m1#\d+ review/);
    const said = lines.find((line) => line.includes('event_emitted')) ?? '';
    assert.match(said, /speaker → squad +event_emitted +StyleChosen, by style +m1#\d+ task_assigned$/);
    assert.equal(lines.length, 4 + 1 + 7);

    const tree = await ravenhelm(['timeline', together, '--tree']);
    assert.match(tree.stdout, /[├└]─ m1#\d+ event_emitted StyleChosen/);
    const above = await ravenhelm(['timeline', child, '--mermaid']);
    assert.match(above.stdout, /^sequenceDiagram\n {2}participant p0 as orchestrator\n/);
    const flow = await ravenhelm(['timeline', child, '--mermaid', '--tree', '--since', '1h']);
    assert.match(flow.stdout, /^flowchart TD\n {2}subgraph mission0\["m1 a style for all"\]/);
    const alone = await ravenhelm(['timeline', together, '--alone', '--json']);
    assert.equal((JSON.parse(alone.stdout) as Told).missions.length, 1);
    const unknown = await ravenhelm(['timeline', 'nobody']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /error not_found: the ledger has no fact of mission nobody/);
    const bad = await ravenhelm(['timeline', together, '--types', ' , ']);
    assert.deepEqual([bad.code, /--types: found " , "/.test(bad.stderr)], [2, true]);
  });

  assert.deepEqual(minds.fakes.anthropic.refused, []);
  await verifyAll(space);
});
