/**
 * kill -9 of a worker around what its agent says: before its report, between the report and the outcome of the call,
 * and after it. What is said again by the next lease is the same, so the ledger has it once.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { readTopic } from '#chassis/reader.ts';
import type { StopPoint } from '#chassis/stop-point.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { Script, TaskSpec } from '#schemas/types.gen.ts';
import { squadToolNames } from '#worker/tools/squad.ts';
import { verifyAll } from './books.ts';
import { type Namespace, openNamespace } from './harness.ts';

/** Leases are short, so that a dead worker is soon replaced; there is one attempt, so that none begins anew. */
const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 5000, deadline_ms: 0, max_attempts: 1 };
const atOnce = pLimit(3);

type Call = readonly [tool: string, args: object, allow_failure?: boolean];
const speaks: readonly Call[] = [
  ['record_decision', { decision: 'x', reasons: ['y'] }],
  ['share_context', { scope: 'x', content: 'y' }],
  ['save_checkpoint', { name: 'x', content: 'y' }],
  ['provide_dependency', { name: 'x', value: 'y' }],
  ['emit_event', { name: 'Spoken' }],
];
const types = [
  'decision_recorded',
  'context_synced',
  'checkpoint_created',
  'dependency_resolved',
  'event_emitted',
];
const handsOff: readonly Call[] = [
  ['emit_event', { name: 'Spoken' }],
  // The role that gets it has it then.
  ['hand_off', { role: 'taker', context: 'half done', reason: 'to see' }, true],
];
const requires: readonly Call[] = [['require_dependency', { name: 'value', reason: 'to see' }]];

interface Case {
  /** Of the task and its role. */
  readonly name: string;
  readonly at: `${StopPoint}/${number}`;
  readonly calls: readonly Call[];
  /** The facts of what was said, as type and step, in order. */
  readonly said: readonly string[];
  /** Reports that were sent twice, by the step. */
  readonly twice: readonly number[];
}

const said = (...each: readonly string[]) => each.map((type, at) => `${type} ${2 * at + 2}`);
const speaking = (at: Case['at'], twice: readonly number[]): Case => {
  const name = `speaks_${at.replaceAll(/\W/g, '_')}`;
  return { name, at, calls: speaks, said: said(...types), twice };
};
const passing = (at: Case['at'], twice: readonly number[]): Case => {
  const name = `passes_${at.replaceAll(/\W/g, '_')}`;
  return {
    name,
    at,
    calls: handsOff,
    said: [...said('event_emitted', 'agent_handoff'), 'event_emitted 2'],
    twice,
  };
};

const cases: readonly Case[] = [
  // Nothing was sent of this call. Its intent is only queued, as is the outcome of the one before; or durable.
  speaking('tool-intended/2', [2]),
  speaking('tool-intent/4', []),
  // Sent, and acknowledged: the outcome is lost, and so the next lease says it again.
  ...[1, 2, 3, 4, 5].map((n) => speaking(`tool-ran/${n}`, [2 * n])),
  speaking('tool-outcome/3', [6]),
  // The intent of a hand-off is free and not waited for, and so the outcome before it is lost as well.
  passing('tool-ran/2', [2]),
  passing('tool-outcome/2', [2]),
  // Only the worker that has reported the end is missing; the first report is that of the event.
  passing('report-sent/1', []),
  { name: 'requires', at: 'report-sent/1', calls: requires, said: said('dependency_required'), twice: [] },
];
const roles = [...cases.map(({ name }) => name), 'taker', 'provider'];

const roleFile = (name: string) => `---
name: ${name}
description: Speaks.
tools: [${squadToolNames.join(', ')}]
limits: { max_steps: 20, timeout_ms: 300000, concurrency: 16 }
---
You say what the task asks for.
`;

const scriptOf = (calls: readonly Call[], answer: string): Script => ({
  calls: calls.map(([tool, args, allow_failure = false]) => ({
    tool,
    arguments: JSON.stringify(args),
    allow_failure,
  })),
  answer,
});

function tasksOf({ name, calls }: Case): TaskSpec[] {
  const answer = calls === requires ? '' : 'done';
  const speaks = taskSpec({ id: name, role: name, script: scriptOf(calls, answer) });
  if (calls !== requires) return [speaks];
  // Nobody runs this role before the one that waits for it has died.
  const script = scriptOf([['provide_dependency', { name: 'value', value: 'forty-two' }]], 'done');
  return [speaks, taskSpec({ id: 'provider', role: 'provider', script })];
}

/** A worker for the role of this case alone, until it is dead. */
async function die(space: Namespace, { name, at }: Case): Promise<void> {
  const env = { RAVENHELM_STOP_AT: at, RAVENHELM_STOP_WITH: 'SIGKILL' };
  const victim = await space.start('worker', { args: ['--roles', name], env, wait: false });
  const code = await Promise.race([victim.exited, sleep(60_000, 'alive', { ref: false })]);
  assert.equal(code, null, `${name}: killed; its log:\n${readFileSync(victim.log, 'utf8').slice(-2000)}`);
}

interface Reported {
  readonly mission: string;
  readonly id: string;
}

async function readReports({ context, prefix }: Namespace): Promise<Reported[]> {
  const reports: Reported[] = [];
  await readTopic({
    kafka: context.kafka,
    topic: context.topics.reports,
    prefix,
    until: 'end',
    signal: AbortSignal.timeout(30_000),
    each: ({ message: { value } }) => {
      if (value === null) return;
      const { correlation_id, event_id } = context.codec.decode(value).value as {
        correlation_id: string;
        event_id: string;
      };
      reports.push({ mission: correlation_id, id: event_id });
    },
  });
  return reports;
}

test('kill -9 around what an agent says', { timeout: 240_000 }, async (t) => {
  const roleFiles = Object.fromEntries(roles.map((name) => [name, roleFile(name)]));
  const space = await openNamespace(t, { roles, roleFiles, partitions: 1 });
  space.beforeClose(async () => atOnce.clearQueue());
  await space.start('orchestrator');
  const missions = new Map(
    await Promise.all(
      cases.map(
        async (which) => [which.name, await space.submit({ tasks: tasksOf(which), limits })] as const,
      ),
    ),
  );
  const missionOf = ({ name }: Case) => missions.get(name) ?? '';
  await Promise.all(cases.map((which) => atOnce(() => die(space, which))));
  await space.start('worker');
  for (const which of cases) await space.facts.end(missionOf(which), 90_000);
  const reports = await readReports(space);

  for (const which of cases) {
    await t.test(which.name, async () => {
      const mission = missionOf(which);
      const facts = space.facts.of(mission);
      const end = await space.facts.end(mission);
      assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
      const found = facts.flatMap(({ event_type, payload }) =>
        'step' in payload && 'task_id' in payload && payload.task_id === which.name && payload.agent !== ''
          ? [`${event_type} ${payload.step}`]
          : [],
      );
      assert.deepEqual(found, which.said, 'each of them is a fact once');
      const own = reports.filter((report) => report.mission === mission).map(({ id }) => id);
      const again = [...Map.groupBy(own, (id) => id)].filter(([, ids]) => ids.length > 1).map(([id]) => id);
      assert.deepEqual(
        again.sort(),
        which.twice.map((step) => `${mission}/${which.name}/1/${step}`),
        'reports that were sent twice',
      );
      if (which.calls === requires && end.event_type === 'mission_completed') {
        assert.match(end.payload.result, /forty-two/);
      }
    });
  }
  await verifyAll(space);
});
