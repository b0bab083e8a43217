import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import picocolors from 'picocolors';
import { decide } from '#orchestrator/decide.ts';
import type { FactDraft } from '#orchestrator/facts.ts';
import type { ReportEvent } from '#orchestrator/input.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { newestRules } from '#orchestrator/rules.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionOptions, TaskSpec, Usage } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { heuristicAnswer } from '#worker/heuristic-plan.ts';
import { factDetail, factLine } from './fact-line.ts';
import { liveArea } from './live-area.ts';
import { foldMission } from './mission-fold.ts';
import { linesBelow, summaryLines } from './mission-show.ts';
import { missionLines } from './mission-view.ts';

const plain = picocolors.createColors(false);

const task = (id: string, role: string, needs: readonly string[] = []): TaskSpec =>
  taskSpec({ id, role, needs, max_attempts: 1 });

/** A mission driven by its own `decide`, with all the facts that it made, numbered. */
function mission(tasks: readonly TaskSpec[], more: Partial<MissionOptions> = {}, brief = '') {
  const facts: { event: Parameters<typeof factLine>[0] }[] = [];
  const fold = foldMission();
  let state: MissionState | null = null;
  let now = 1_700_000_000_000;
  const take = (input: Parameters<typeof decide>[1]): void => {
    now += 1500;
    const decision = decide(state, input, { now });
    assert.equal(decision.kind, 'facts');
    if (decision.kind !== 'facts') return;
    state = decision.state;
    for (const draft of decision.facts) {
      const event = envelope(draft, facts.length + 1, now);
      facts.push({ event });
      fold.add(event);
    }
  };
  const submit = {
    mission_id: 'm-1',
    name: 'Deploy it',
    brief,
    priority: 'normal',
    traceparent: '',
    roles: tasks.length === 0 ? ['cert_agent', 'env_agent'] : [],
    parent: null,
    depth: 0,
    rules: newestRules,
  } as const;
  const policy = { ...defaultPolicy, max_attempts: 1, options: { ...defaultPolicy.options, ...more } };
  take({ kind: 'submit', ...submit, tasks, policy });
  return {
    fold,
    lines: () => facts.map(({ event }) => factLine(event)),
    below: () => facts.flatMap(({ event }) => linesBelow(event, plain)),
    details: () => facts.map(({ event }) => factDetail(event)),
    report: (event: ReportEvent) => take({ kind: 'report', event }),
    cancel: (reason: string) => take({ kind: 'cancel', reason, by: 'person' }),
    view: (rows = 24, columns = 80) =>
      fold.state === null ? [] : missionLines(fold.state, now, plain, { columns, rows }, fold.planned?.notes),
  };
}

function envelope(draft: FactDraft, sequence: number, timestamp: number) {
  const rest = {
    version: 1,
    correlation_id: 'm-1',
    causation_id: '',
    priority: 'normal',
    previous_hash: '',
  } as const;
  return { event_id: `m-1:${sequence}`, timestamp, sequence, ...rest, ...draft } as Parameters<
    typeof factLine
  >[0];
}

const common = { attempt: 1, lease: 1, agent: 'worker@here:1' };
const base = {
  version: 1,
  correlation_id: 'm-1',
  causation_id: '',
  priority: 'normal',
  sequence: 0,
} as const;
const report = (event_type: ReportEvent['event_type'], role: string, payload: object): ReportEvent =>
  ({
    ...{
      event_id: 'r',
      event_type,
      source_agent: role,
      target_agent: 'orchestrator',
      timestamp: 0,
      previous_hash: '',
    },
    ...base,
    payload: { ...common, ...payload },
  }) as ReportEvent;

const started = (task_id: string, role: string) =>
  report('task_started', role, { task_id, journal_partition: 0, journal_offset: 0 });
const completed = (task_id: string, role: string, usage: Usage = noUsage, result = 'ok') =>
  report('task_completed', role, {
    task_id,
    result,
    steps: 1,
    journal_hash: '',
    duration_ms: 1,
    usage,
  });
const failed = (task_id: string, role: string, message: string, code = 'tool_failed') =>
  report('task_attempt_failed', role, {
    ...{ task_id, code, message, steps: 1, journal_hash: '', retry_at: 0 },
    ...{ usage: noUsage, duration_ms: 1 },
  });

const two = [
  task('deploy-cert_agent-wave1', 'cert_agent'),
  task('b', 'env_agent', ['deploy-cert_agent-wave1']),
];

describe('fact lines', () => {
  it('says which roles nobody runs, and what to do, until somebody does', () => {
    const run = mission([task('a', 'cert_agent')]);
    run.report(report('role_unavailable', 'orchestrator', { role: 'cert_agent', tasks: ['a'], since: 0 }));
    assert.deepEqual(run.fold.absent, ['cert_agent']);
    assert.match(run.details().at(-1) ?? '', /^nobody runs cert_agent, which a wait for/);
    assert.match(run.below().join('\n'), /once a worker runs cert_agent: `ravenhelm agents`/);
    run.report(started('a', 'cert_agent'));
    assert.deepEqual(run.fold.absent, []);
  });

  it('have the event, who says it to whom, and what it is about', () => {
    const run = mission(two);
    run.report(started('deploy-cert_agent-wave1', 'cert_agent'));
    run.report(completed('deploy-cert_agent-wave1', 'cert_agent'));
    run.report(failed('b', 'env_agent', 'exit code 3\nand more'));
    assert.deepEqual(run.lines(), [
      'mission_accepted | orchestrator → person | Deploy it',
      'plan_created | orchestrator → squad | 2 tasks in 2 waves',
      'wave_started | orchestrator → squad | wave 1',
      'task_assigned | orchestrator → cert_agent | deploy-cert_agent-wave1',
      'task_started | cert_agent → orchestrator | deploy-cert_agent-wave1',
      'task_completed | cert_agent → orchestrator | deploy-cert_agent-wave1',
      'wave_completed | orchestrator → squad | wave 1',
      'wave_started | orchestrator → squad | wave 2',
      'task_assigned | orchestrator → env_agent | b',
      'task_failed | env_agent → orchestrator | b (attempt 1, tool_failed: exit code 3…)',
      'wave_completed | orchestrator → squad | wave 2 (1 failed)',
      'mission_failed | orchestrator → person | task_failed: task b failed (tool_failed): exit code 3…',
    ]);
  });
});

describe('the view of a mission', () => {
  it('shows waves and their tasks', () => {
    const run = mission(two);
    run.report(started('deploy-cert_agent-wave1', 'cert_agent'));
    assert.deepEqual(run.view(), [
      '⠋ Deploy it  running  0/2 tasks  1.5 s  m-1',
      '  wave 1  0/1',
      '    ⠋ deploy-cert_agent-wave1  cert_agent  0 ms',
      '  wave 2  0/1',
      '    · b  env_agent',
    ]);
  });

  it('is never higher or wider than the terminal', () => {
    const run = mission(
      Array.from({ length: 300 }, (_, i) => task(`task-${i}`, 'cert_agent', i > 250 ? ['task-0'] : [])),
    );
    for (let i = 0; i < 90; i++) run.report(started(`task-${i}`, 'cert_agent'));
    for (const [rows, columns] of [
      [24, 80],
      [5, 20],
      [3, 10],
    ] as const) {
      const lines = run.view(rows, columns);
      assert.ok(lines.length < rows, `${lines.length} lines in ${rows}`);
      for (const line of lines) assert.ok(line.length <= columns, line);
    }
  });

  it('says at the end what failed and what to try next', () => {
    const run = mission(two);
    run.report(failed('deploy-cert_agent-wave1', 'cert_agent', 'no openssl'));
    assert.equal(run.fold.over, true);
    const text = summaryLines(run.fold, plain).join('\n');
    assert.match(text, /^Mission failed in 1\.5 s: 0 of 2 tasks completed\n/);
    assert.match(text, /deploy-cert_agent-wave1 \(cert_agent, attempt 1\) {2}tool_failed: no openssl/);
    assert.match(text, /ravenhelm events m-1/);
  });

  it('shows what waits for a person before all else, and what to type', () => {
    const run = mission(two);
    run.report(started('deploy-cert_agent-wave1', 'cert_agent'));
    const question = { kind: 'tool_call', reason: 'all see it', tool: 'run', arguments: '{"argv":["git"]}' };
    const about = {
      task_id: 'deploy-cert_agent-wave1',
      review_id: 'm-1/deploy-cert_agent-wave1/1/2',
      step: 2,
    };
    run.report(
      report('review_requested', 'cert_agent', { ...question, ...about, arguments_hash: 'h', expires_at: 0 }),
    );
    assert.deepEqual(run.view(24, 120).slice(1, 4), [
      '  ? tool_call of deploy-cert_agent-wave1: npx ravenhelm approve m-1/deploy-cert_agent-wave1/1/2',
      '  wave 1  0/1',
      '    ? deploy-cert_agent-wave1  cert_agent  1.5 s  waits for a person',
    ]);
    assert.match(
      run.below()[0] ?? '',
      /^\? A person has to decide: may task deploy-cert_agent-wave1 call run\? \{"argv"/,
    );
    for (const [rows, columns] of [
      [5, 20],
      [3, 10],
    ] as const) {
      assert.ok(run.view(rows, columns).length < rows);
    }
  });

  it('says who planned, and what the planner says', () => {
    const brief = 'Deploy the platform with TLS and monitoring';
    const run = mission([], { planner: 'heuristic' }, brief);
    const plan = heuristicAnswer({ description: brief, roles: ['cert_agent', 'env_agent'], agents: 0 });
    run.report(completed('plan', 'orchestrator', noUsage, plan));
    const made = run.lines().find((line) => line.startsWith('plan_created'));
    assert.match(made ?? '', /\d+ tasks in \d+ waves, made without a model$/);
    assert.match(
      run.below()[0] ?? '',
      /^note: planned without a model .* needs a model of its role or a script$/,
    );
    assert.match(run.view(24, 200)[1] ?? '', /planned without a model/);
    run.cancel('enough');
    assert.match(summaryLines(run.fold, plain).join('\n'), /^ {2}note of the plan: planned without a model/m);
  });

  it('says why a plan was made without a model after all', () => {
    const run = mission([], {}, 'Deploy the platform with TLS and monitoring');
    run.report(failed('plan', 'orchestrator', 'no key', 'key_missing'));
    const plan = JSON.stringify({
      tasks: [{ id: 'a', role: 'cert_agent' }],
      notes: ['planned without a model'],
    });
    run.report(completed('replan-0', 'orchestrator', noUsage, plan));
    const made = run.lines().filter((line) => line.startsWith('plan_created'));
    assert.match(
      made[0] ?? '',
      /1 task in 0 waves: no model could plan, and the planning without one is asked$/,
    );
    assert.match(made[1] ?? '', /1 task in 1 wave, made without a model$/);
    assert.match(
      summaryLines(run.fold, plain).join('\n'),
      /note of the plan: no model could plan \(key_missing\).*\n.*note of the plan: planned without a model/,
    );
  });

  it('says at the end what was used up, of which budget, and what is missing', () => {
    const budget = { tokens: 5000, calls: -1, cost_nanos: 1_000_000_000, time_ms: -1 };
    const partial = taskSpec({
      id: 'sum',
      role: 'drummer',
      needs: ['a', 'b'],
      partial: true,
      max_attempts: 1,
    });
    const run = mission([task('a', 'cert_agent'), task('b', 'env_agent'), partial], { budget });
    const used = { ...noUsage, input_tokens: 1000, output_tokens: 200, cache_read_tokens: 50, calls: 2 };
    run.report(completed('a', 'cert_agent', { ...used, cost_usd: 0.0125 }));
    run.report(failed('b', 'env_agent', 'no'));
    run.report(completed('sum', 'drummer', { ...noUsage, calls: 1, cost_usd: 0 }));
    const text = summaryLines(run.fold, plain).join('\n');
    assert.match(text, /^Mission completed /);
    assert.match(text, /^ {2}! 1 task is missing from the result: b$/m);
    assert.match(text, /^ {2}3 model calls, 1250 tokens \(1000 in, 200 out, 50 cache\), \$0\.0125$/m);
    assert.match(text, /^ {2}budget: 1250 of 5000 tokens, \$0\.0125 of \$1\.00$/m);
    assert.match(run.lines().at(-1) ?? '', / 3 tasks in .*, without b$/);
  });

  it('never takes a cost that is not known for nothing', () => {
    const run = mission([task('a', 'cert_agent')]);
    run.report(completed('a', 'cert_agent', { ...noUsage, input_tokens: 5, calls: 1, cost_usd: null }));
    const text = summaryLines(run.fold, plain).join('\n');
    assert.match(text, /^ {2}1 model call, 5 tokens \(5 in, 0 out\), cost unknown$/m);
  });

  it('shows what is booked where money is limited: all that was reserved, when a cost is not known', () => {
    const budget = { tokens: -1, calls: -1, cost_nanos: 1_000_000_000, time_ms: -1 };
    const run = mission([task('a', 'cert_agent')], { budget });
    run.report(completed('a', 'cert_agent', { ...noUsage, input_tokens: 5, calls: 1, cost_usd: null }));
    assert.match(summaryLines(run.fold, plain).join('\n'), /^ {2}budget: \$0\.10 of \$1\.00$/m);
  });

  it('is over when the last task of a cancelled mission is', () => {
    const run = mission(two);
    assert.equal(run.fold.over, false);
    run.cancel('enough');
    assert.equal(run.fold.over, true);
    assert.match(run.view()[0] ?? '', /^⊘ Deploy it {2}cancelled/);
  });
});

describe('the live area', () => {
  it('writes only the lines that changed, and nothing when none did', () => {
    const written: string[] = [];
    const area = liveArea({ columns: 80, write: (text) => written.push(text) > 0 });
    area.draw(['head', 'one', 'two']);
    area.draw(['head', 'one', 'two']);
    assert.equal(written.length, 1);
    area.draw(['head', 'ONE', 'two']);
    assert.equal(written.length, 2);
    assert.match(written[1] ?? '', /ONE/);
    assert.doesNotMatch(written[1] ?? '', /head|two/);
    area.end();
    assert.equal(written.at(-1), '\u001b[?25h');
  });
});

describe('a mission that reacts', () => {
  const said = (event_type: string, payload: object) =>
    ({
      ...envelope({} as FactDraft, 0, 0),
      event_type,
      event_id: event_type,
      source_agent: 'correlator',
      target_agent: 'orchestrator',
      payload,
    }) as unknown as ReportEvent;
  const waiting = { name: 'both', events: [], timeout_ms: 60_000, on_complete: null, on_timeout: null };
  const started = { aggregation: 'both', expected: ['a', 'b'], due_at: 1_700_000_061_500, trigger: 'm-1:1' };

  it('shows the tasks that reactions asked for, and what is waited for', () => {
    const shown = mission([], { planner: 'none', aggregators: [waiting] });
    shown.report(said('aggregation_started', started));
    const requested = { ...task('look', 'cert_agent'), caused_by: 'm-1:3', hops: 1 };
    const asked = { task: requested, subscription: 'watch', trigger: 'm-1:3', reason: '' };
    shown.report(said('task_requested', asked));
    const lines = shown.view().map((line) => line.trim());
    assert.ok(
      lines.some((line) => line.startsWith('… both waits for its events, at most ')),
      lines.join('\n'),
    );
    assert.ok(lines.some((line) => line.startsWith('reactions  0/1')));
    assert.match(shown.lines()[1] ?? '', /0 tasks in 0 waves: its tasks come from reactions$/);
  });
});
