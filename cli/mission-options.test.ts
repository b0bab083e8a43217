import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import type { MissionFields } from '#missions/load.ts';
import { parseMission } from '#missions/load.ts';
import { addMissionFlags, type MissionFlags } from './mission-flags.ts';
import { withFlags } from './mission-options.ts';

const roles = new Map([
  ['drummer', {}],
  ['cert_agent', {}],
]);
const brief = parseMission('brief: Deploy it', 'm.yaml');
const planned = parseMission('tasks: [{ id: a, role: cert_agent }]', 'm.yaml');

/** As commander reads them. Throws what it says. */
function flags(...args: string[]): MissionFlags {
  const command = addMissionFlags(
    new Command('run').exitOverride().configureOutput({ writeErr: () => undefined }),
  );
  return command.parse(args, { from: 'user' }).opts<MissionFlags>();
}
const options = (mission: MissionFields, ...args: string[]) =>
  withFlags(mission, flags(...args), roles).options;

describe('a drill', () => {
  const file = readFileSync(new URL('../missions/deploy-feature.yaml', import.meta.url), 'utf8');
  const feature = parseMission(file, 'm.yaml');
  it('makes one step fail for good, and changes nothing else', () => {
    for (const { id } of feature.tasks) {
      const drilled = withFlags(feature, flags('--fail-at', id), roles);
      const changed = drilled.tasks.filter((task, at) => task !== feature.tasks[at]);
      assert.deepEqual(
        changed.map((task) => [task.id, task.max_attempts, task.script?.calls.length]),
        [[id, 1, 1]],
      );
      assert.match(changed[0]?.script?.calls[0]?.arguments ?? '', /exit 1/);
      assert.deepEqual({ ...drilled, tasks: feature.tasks }, feature);
    }
  });
  it('names the steps that there are', () => {
    const expected = 'expected one of build, tests, staging, e2e, production';
    assert.throws(() => withFlags(feature, flags('--fail-at', 'test'), roles), {
      code: 'invalid_arguments',
      message: `--fail-at: found "test", ${expected}`,
    });
    assert.throws(() => withFlags(brief, flags('--fail-at', 'x'), roles), {
      message: '--fail-at: found "x", expected a mission that names its tasks',
    });
  });
});

describe('options of a mission at the command line', () => {
  it('change nothing that they do not speak of', () => {
    const file = parseMission(
      'brief: x\nplanner: model\nmodels: { drummer: ollama/a }\nbudget: { calls: 7, time: 1h, at_limit: ask }\non_failure: continue',
      'm.yaml',
    );
    assert.deepEqual(withFlags(file, flags(), roles), file);
  });

  it('become what the orchestrator reads', () => {
    const mission = withFlags(
      brief,
      flags(
        ...[
          '--plan-only',
          '--planner',
          'heuristic',
          '--agents',
          '7',
          '--hierarchy',
          'none',
          '--at-limit',
          'cheaper',
        ],
        ...['--model', 'ollama/llama3.1', '--model', 'drummer=openai/a/b', '--on-failure', 'replan'],
        ...['--budget-tokens', '5000', '--budget-usd', '0.25', '--budget-calls', '9', '--priority', 'low'],
      ),
      roles,
    );
    assert.equal(mission.on_failure, 'replan');
    assert.equal(mission.priority, 'low');
    assert.deepEqual(mission.options, {
      planner: 'heuristic',
      agents: 7,
      hierarchy: 'none',
      plan_only: true,
      review: '',
      max_replans: 0,
      models: [
        { role: '', model: 'ollama/llama3.1' },
        { role: 'drummer', model: 'openai/a/b' },
      ],
      budget: { tokens: 5000, calls: 9, cost_nanos: 250_000_000, time_ms: -1 },
      per_task: null,
      on_exhausted: 'cheaper',
      retries: [],
      role_retries: [],
      subscriptions: [],
      aggregators: [],
      events: [],
      max_hops: 0,
    });
  });

  it('count more than the file, measure by measure and role by role', () => {
    const file = parseMission(
      'brief: x\nmodels: { default: ollama/a, drummer: ollama/b, cert_agent: ollama/c }\nbudget: { calls: 7, usd: 1 }',
      'm.yaml',
    );
    const found = options(
      file,
      '--model',
      'drummer=openai/z',
      '--model',
      'default=openai/y',
      '--budget-usd',
      '2',
    );
    assert.deepEqual(found?.budget, { tokens: -1, calls: 7, cost_nanos: 2_000_000_000, time_ms: -1 });
    const models = found?.models.map(({ role, model }) => `${role}=${model}`);
    assert.deepEqual(models?.toSorted(), ['=openai/y', 'cert_agent=ollama/c', 'drummer=openai/z']);
  });

  it('of two words about a role the last counts', () => {
    assert.deepEqual(
      flags('--model', 'openai/a', '--model', 'drummer=ollama/b', '--model', 'ollama/c').model,
      [
        { role: 'drummer', model: 'ollama/b' },
        { role: '', model: 'ollama/c' },
      ],
    );
  });

  it('name the option, what was found and what was expected', () => {
    const wrong: readonly (readonly [args: string[], mission: MissionFields, says: RegExp])[] = [
      [['--planner', 'magic'], brief, /'--planner <who>' argument 'magic' .*auto, model, heuristic/],
      [['--agents', '0'], brief, /'--agents <n>' argument '0' .*from 1 to 15/],
      [['--agents', '3.5'], brief, /'--agents <n>' argument '3\.5' /],
      [['--model', 'llama'], brief, /'--model <model>' argument 'llama' .*provider\/name/],
      [['--model', 'nobody/x'], brief, /'--model <model>' argument 'nobody\/x' .*anthropic, openai, ollama/],
      [
        ['--model', 'nobody=ollama/x'],
        brief,
        /--model: found the role nobody, expected one of drummer, cert_agent/,
      ],
      [['--budget-usd', '-1'], brief, /'--budget-usd <x>'/],
      [['--budget-usd', '1e3'], brief, /'--budget-usd <x>' argument '1e3' .*like 2\.50/],
      [['--budget-tokens', ''], brief, /'--budget-tokens <n>' argument '' /],
      [['--at-limit', 'ask'], brief, /--at-limit: found no budget, expected --budget-tokens/],
      [['--agents', '3'], planned, /--agents: found a mission of 1 tasks, expected a mission without tasks/],
      [['--planner', 'auto'], planned, /--planner: found a mission of 1 tasks/],
      [['--review', 'plan', '--plan-only'], brief, /--review: found --plan-only, expected one of the two/],
    ];
    for (const [args, mission, says] of wrong) {
      assert.throws(() => options(mission, ...args), says, args.join(' '));
    }
  });

  it('take any amount as it is written', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.nat({ max: 999_999 }), (tokens, usd) => {
        const budget = options(
          brief,
          '--budget-tokens',
          String(tokens),
          '--budget-usd',
          (usd / 1e4).toFixed(4),
        )?.budget;
        assert.deepEqual([budget?.tokens, budget?.cost_nanos], [tokens, usd * 1e5]);
      }),
      { numRuns: 50 },
    );
  });
});
