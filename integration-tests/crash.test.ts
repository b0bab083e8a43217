/** No death of a process loses or repeats anything. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTopic } from '#chassis/reader.ts';
import { createVerifier } from '#orchestrator/verify.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { Fleet } from './fleet.ts';
import { type LedgerFact, type Namespace, openNamespace, scriptedTask } from './harness.ts';
import { checkLedger, checkRuns, readRuns } from './invariants.ts';
import { checkProjection } from './projection-check.ts';

const RUNS = 'runs.txt';
const roles = ['builder', 'checker'];
/** Leases are short, so that a dead worker is soon replaced; attempts may take long, so that none begins anew. */
const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 5000, deadline_ms: 0, max_attempts: 1 };

/** Three waves of three tasks of two steps; each step says in the workspace, outside the log, that it ran. */
function plan(mission: string): TaskSpec[] {
  return [1, 2, 3].flatMap((wave) =>
    [1, 2, 3].map((i) =>
      scriptedTask(
        {
          id: `w${wave}-${i}`,
          role: roles[(wave + i) % roles.length] ?? '',
          needs: wave === 1 ? [] : [1, 2, 3].map((need) => `w${wave - 1}-${need}`),
        },
        [1, 2].map((step) => ({
          command: `echo ${stepName(mission, `w${wave}-${i}`, step)} $(date +%s%N) >> ${RUNS}; sleep 0.1`,
        })),
      ),
    ),
  );
}

const stepName = (mission: string, task: string, step: number) => `${mission}/${task}/${step}`;

async function submitMany(space: Namespace, count: number, name = 'm'): Promise<Map<string, TaskSpec[]>> {
  const missions = new Map<string, TaskSpec[]>();
  for (let i = 0; i < count; i++) {
    const mission = `${name}${i}-${space.prefix}`;
    missions.set(mission, plan(mission));
  }
  await Promise.all(
    [...missions].map(([correlation_id, tasks]) => space.submit({ correlation_id, tasks, limits })),
  );
  return missions;
}

/** All ends, the ledger, the verifier, and the steps that ran outside. */
async function checkAll(t: TestContext, space: Namespace, missions: ReadonlyMap<string, TaskSpec[]>) {
  for (const mission of missions.keys()) {
    const end = await space.facts.end(mission, 120_000);
    assert.equal(end.event_type, 'mission_completed', `${mission}: ${JSON.stringify(end.payload)}`);
  }
  checkLedger(space.facts.all, missions);

  const verifier = createVerifier(space.context.codec);
  const findings = space.facts.all.flatMap(
    ({ bytes, partition, offset }) => verifier.feed({ bytes, partition, offset }) ?? [],
  );
  const { findings: atEnd, summary } = verifier.end();
  assert.deepEqual([...findings, ...atEnd], []);
  assert.equal(summary.ended, missions.size);

  const ran = [...missions.keys()].flatMap((mission) => readRuns(space.file(mission, RUNS)));
  const outcomes = await readOutcomes(space);
  const steps = [...missions].flatMap(([mission, tasks]) =>
    tasks.flatMap(({ id }) => [1, 2].map((n) => stepName(mission, id, n))),
  );
  checkRuns(ran, outcomes, steps);
  const again = ran.length - steps.length;
  t.diagnostic(
    `${missions.size} missions, ${steps.length} steps, ${again} ran again because a kill hid their outcome`,
  );
}

/** When the outcome of each tool call was recorded, by the journal. */
async function readOutcomes(space: Namespace): Promise<Map<string, number>> {
  const { kafka, topics, codec } = space.context;
  const outcomes = new Map<string, number>();
  await readTopic({
    kafka,
    topic: topics.steps,
    prefix: space.prefix,
    until: 'end',
    signal: AbortSignal.timeout(60_000),
    each({ message }) {
      if (message.value === null) return;
      const { name, value } = codec.decode(message.value);
      if (name !== 'ToolCallEnded') return;
      // Calls of a script are the even steps: 1 model, 2 tool, 3 model, 4 tool, 5 model.
      const step = stepName(value.correlation_id, value.payload.task_id, value.payload.step / 2);
      outcomes.set(step, Math.min(outcomes.get(step) ?? Number.POSITIVE_INFINITY, Number(message.timestamp)));
    },
  });
  return outcomes;
}

test('kill -9 of every service in turn, several times, while fifty missions run', {
  timeout: 300_000,
}, async (t) => {
  const space = await openNamespace(t, { roles, partitions: 3 });
  const fleet = new Fleet(space);
  await Promise.all([
    fleet.add('orchestrator'),
    fleet.add('orchestrator'),
    fleet.add('worker'),
    fleet.add('worker'),
    fleet.add('worker'),
    fleet.add('projector'),
  ]);
  const missions = await submitMany(space, 50);
  for (let round = 0; round < 3; round++) {
    for (const member of fleet.all) {
      fleet.kill(member);
      await sleep(1500);
    }
  }
  await checkAll(t, space, missions);
  await checkProjection(space);
  const kills = fleet.all.map(({ service, kills }) => `${service} ${kills}`).join(', ');
  t.diagnostic(`killed: ${kills}`);
});

const isWaveEnd = ({ event }: LedgerFact) => event.event_type === 'wave_completed';

/**
 * Random kills do not find a missing fence; a pause does. Frozen before its outputs, a zombie without a fence writes a
 * whole decision a second time when it wakes; frozen after them, it commits what the next owner has decided meanwhile.
 */
for (const point of ['before-outputs', 'outputs-sent']) {
  const where = point === 'outputs-sent' ? 'between its outputs and its commit' : 'before its outputs';
  test(`an orchestrator frozen ${where}, which wakes when another has taken over`, {
    timeout: 180_000,
  }, async (t) => {
    const space = await openNamespace(t, { roles, partitions: 1 });
    const trigger = join(space.folder, 'freeze');
    const frozen = await space.start('orchestrator', {
      env: { RAVENHELM_STOP_AT: point, RAVENHELM_STOP_WHEN: trigger },
    });
    await space.start('worker');
    await space.start('orchestrator');
    const missions = await submitMany(space, 10);
    await space.facts.until(({ all }) => all.some(isWaveEnd), 'first wave');
    writeFileSync(trigger, '');
    for (let i = 0; existsSync(trigger) && i < 400; i++) await sleep(25);
    assert.ok(!existsSync(trigger), 'the orchestrator with the stop point holds the partition');
    const before = space.facts.all.length;
    await sleep(15_000);
    assert.ok(space.facts.all.length > before, 'another orchestrator has taken over');
    const later = await submitMany(space, 5, 'late');
    frozen.signal('SIGCONT');
    await checkAll(t, space, new Map([...missions, ...later]));
    // It had to see that it is no longer the owner; its process goes on as a member of the group.
    await frozen.ready();
  });
}
