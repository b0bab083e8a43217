import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { taskSpec } from '#schemas/task-spec.ts';
import type { ScriptedCall, TaskSpec } from '#schemas/types.gen.ts';
import { parseMission } from './load.ts';
import { missionToFile } from './print.ts';

/** A mission that says nothing but its tasks. */
const planToMissionFile = (
  name: string,
  brief: string,
  tasks: readonly TaskSpec[],
  on_failure = 'fail_fast',
) => missionToFile({ ...parseMission('brief: b', 'm.yaml'), name, brief, tasks, on_failure });

function task(id: string, more: Partial<TaskSpec> = {}): TaskSpec {
  return taskSpec({ id, role: 'developer', ...more });
}

const call = (args: unknown, more: Partial<ScriptedCall> = {}): ScriptedCall => ({
  tool: 'workspace_write',
  arguments: typeof args === 'string' ? args : JSON.stringify(args),
  allow_failure: false,
  ...more,
});

test('a plan is printed as a person would write it', () => {
  const tasks = [
    task('design', { description: 'Design it: all of it # really', timeout_ms: 60_000, wave: 1 }),
    task('build', {
      needs: ['design'],
      wave: 2,
      max_attempts: 2,
      description: 'Do all of this:\n1. Build: the parser\n\nYou are done when it runs.',
      script: {
        calls: [call({ path: 'a.txt', content: 'one\ntwo\n' }), call({}, { tool: 'x', allow_failure: true })],
        answer: 'yes',
      },
    }),
  ];
  assert.equal(
    planToMissionFile('A plan', 'Do it', tasks),
    `name: A plan
brief: Do it
tasks:
  - id: design
    role: developer
    description: "Design it: all of it # really"
    needs: []
    timeout: 60000
  - id: build
    role: developer
    description: |-
      Do all of this:
      1. Build: the parser

      You are done when it runs.
    needs:
      - design
    max_attempts: 2
    script:
      - tool: workspace_write
        arguments:
          path: a.txt
          content: |
            one
            two
      - tool: x
        arguments: {}
        allow_failure: true
    answer: yes
`,
  );
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        ...[
          'a',
          'word',
          ' ',
          '  ',
          '\n',
          '\n\n',
          '\t',
          '\r',
          '#',
          ': ',
          '- ',
          '|',
          '>',
          '"',
          "'",
          '%',
          '@',
          '`',
          '&a',
          '*a',
          '!!str ',
        ],
        ...[
          '---',
          '...',
          '{',
          '}',
          '[',
          ']',
          ',',
          '? ',
          '~',
          'null',
          'yes',
          '0x1f',
          '1e3',
          '2026-01-01',
          '<<',
          '\\',
          '\0',
          '\u0085',
          '\u2028',
        ],
        ...['\ufeff', '\ud800', '写', '🐦', 'e\u0301', '\u200b', '\u202e', 'x'.repeat(200)],
      ),
      { maxLength: 20 },
    )
    .map((parts) => parts.join('')),
);
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const json = fc.dictionary(
  text.filter((key) => key !== '__proto__'),
  fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.array(text),
    fc.constant(null),
  ),
  { maxKeys: 4 },
);
const script = fc.record({
  calls: fc.array(
    fc.record({
      tool: text.filter((tool) => tool !== ''),
      arguments: json.map((value) => JSON.stringify(value)),
      allow_failure: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  answer: text,
});
const anyTasks = fc.uniqueArray(id, { minLength: 1, maxLength: 6 }).chain((ids) =>
  fc.tuple(
    ...ids.map((own, at) =>
      fc.record({
        id: fc.constant(own),
        role: text.filter((role) => role !== ''),
        description: text,
        needs: fc.subarray(ids.slice(0, at)),
        wave: fc.nat(9),
        timeout_ms: fc.nat(2 ** 31 - 1),
        max_attempts: fc.nat(100),
        script: fc.option(script),
      }),
    ),
  ),
);

test('property: what is printed reads back as the same plan', () => {
  fc.assert(
    fc.property(text, text, anyTasks, (name, brief, tasks) => {
      const printed = planToMissionFile(name, brief, tasks.map(taskSpec));
      assert.doesNotMatch(printed, /[^\P{C}\n\t]|[\u2028\u2029]/u, 'nothing that is not seen');
      assert.doesNotMatch(printed, /[ \t]$/m, 'no blanks that an editor takes away');
      const read = parseMission(printed, 'plan.yaml');
      assert.equal(read.name, name);
      assert.equal(read.brief, brief);
      assert.deepEqual(
        read.tasks,
        tasks.map((one) => ({
          ...taskSpec(one),
          wave: 0,
          script: one.script && { ...one.script, calls: one.script.calls.map(short) },
        })),
      );
    }),
    { numRuns: 120 },
  );
});

const short = (given: ScriptedCall) => ({ ...given, arguments: JSON.stringify(JSON.parse(given.arguments)) });

test('what no mission file can say is refused, with its place', () => {
  const refuses = (more: Partial<TaskSpec>, message: RegExp) =>
    assert.throws(() => planToMissionFile('', 'b', [task('a'), task('b', more)]), {
      code: 'invalid_plan',
      message,
    });
  const scripted = (given: ScriptedCall) => ({ script: { calls: [given], answer: '' } });
  refuses(scripted(call('[1]')), /^script\.calls\[0\]\.arguments of b: found \[1\], expected an object$/);
  refuses(scripted(call('{')), /^script\.calls\[0\]\.arguments of b: found what is not JSON/);
  refuses(
    { max_attempts: 101 },
    /cannot be said in a mission file: line:\d+:\d+: tasks\[1\]\.max_attempts: found 101/,
  );
  refuses({ needs: ['nobody'] }, /tasks\[1\]\.needs\[0\]: found nobody/);
  refuses({ id: 'a' }, /tasks\[1\]\.id: found a/);
  refuses({ description: 'x'.repeat(900_001) }, /expected at most 900000/);
});

test('what a failure does is kept, and how tasks are undone, whatever the spelling of the arguments', () => {
  const script = (text: string) => ({
    calls: [{ tool: 'workspace_read', arguments: text, allow_failure: false }],
    answer: '',
  });
  const a = taskSpec({
    ...{ id: 'a', role: 'cert_agent', needs: [] },
    compensation: { description: 'Take it back.', script: script('{ "path" : "a" }') },
  });
  const read = parseMission(planToMissionFile('n', 'b', [a], 'compensate'), 'm.yaml');
  assert.equal(read.on_failure, 'compensate');
  assert.deepEqual(read.tasks[0]?.compensation?.script, script('{"path":"a"}'));
});
