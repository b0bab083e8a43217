/**
 * kill -9 at every point of a task's loop. What is done again is counted from outside: the calls by the provider that is
 * paid for them, the commands by what they leave in the workspace. At most the one call that was in the air is made
 * again, and which one that may be is said for each point.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { readTopic } from '#chassis/reader.ts';
import type { StopPoint } from '#chassis/stop-point.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import type { StepEvent } from '#worker/journal.ts';
import { foldJournal, type JournalRecord } from '#worker/journal-fold.ts';
import { verifyAll } from './books.ts';
import { type Namespace, openNamespace, type Running } from './harness.ts';
import { type Asked, askedOf, calls, type Mind, type Minds, says, startMinds } from './minds.ts';

const RUNS = 'runs.txt';
/** Leases are short, so that a dead worker is soon replaced; there is one attempt, so that none begins anew. */
const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 5000, deadline_ms: 0, max_attempts: 1 };
/** Of the processes that start and die side by side. */
const atOnce = pLimit(3);

/** A task: model, tool, model, tool, model. */
interface Case {
  /** Of the task and its role. */
  readonly name: string;
  /** Where the worker kills itself, and at which passing; null: it is killed from outside. */
  readonly at: `${StopPoint}/${number}` | null;
  /** How often each of the three calls of the model is made in all. */
  readonly asked: readonly [number, number, number];
  /** How often each of the two commands runs in all. */
  readonly ran: readonly [number, number];
  /** The step at which it dies, and how many intents of it the journal has: two if the first one was durable. */
  readonly begun: { readonly step: number; readonly times: number } | null;
}

const at = (point: StopPoint, n: number, asked: Case['asked'], ran: Case['ran']): Case => ({
  name: `${point.replaceAll('-', '_')}_${n}`,
  at: `${point}/${n}`,
  asked,
  ran,
  begun: begunAt(point, n),
});

function begunAt(point: StopPoint, n: number): Case['begun'] {
  const times = point.endsWith('-intended') ? 1 : 2;
  if (point.startsWith('model-')) return { step: 2 * n - 1, times };
  return point.startsWith('tool-') ? { step: 2 * n, times } : null;
}

const once = [1, 1, 1] as const;
const cases: readonly Case[] = [
  // The intent is only queued: nothing is in the air but, in the later rounds, the outcome of the command before it.
  at('model-intended', 1, once, [1, 1]),
  at('model-intended', 2, once, [2, 1]),
  at('model-intended', 3, once, [1, 2]),
  // All before it is durable, and nothing is in the air.
  at('model-intent', 1, once, [1, 1]),
  at('model-intent', 2, once, [1, 1]),
  at('model-intent', 3, once, [1, 1]),
  // Its answer is lost.
  at('model-answered', 1, [2, 1, 1], [1, 1]),
  at('model-answered', 2, [1, 2, 1], [1, 1]),
  at('model-answered', 3, [1, 1, 2], [1, 1]),
  at('model-outcome', 1, [2, 1, 1], [1, 1]),
  at('model-outcome', 2, [1, 2, 1], [1, 1]),
  at('model-outcome', 3, [1, 1, 2], [1, 1]),
  // The answer before it is only queued, like the intent.
  at('tool-intended', 1, [2, 1, 1], [1, 1]),
  at('tool-intended', 2, [1, 2, 1], [1, 1]),
  at('tool-intent', 1, once, [1, 1]),
  at('tool-intent', 2, once, [1, 1]),
  // Nobody knows how the command ended, and it may be run again.
  at('tool-ran', 1, once, [2, 1]),
  at('tool-ran', 2, once, [1, 2]),
  at('tool-outcome', 1, once, [2, 1]),
  at('tool-outcome', 2, once, [1, 2]),
  // Only the report is missing; or only the worker that has sent it.
  at('end-durable', 1, once, [1, 1]),
  at('report-sent', 1, once, [1, 1]),
  // From outside, while the provider thinks and while the command runs.
  { name: 'model_in_air', at: null, asked: [2, 1, 1], ran: [1, 1], begun: { step: 1, times: 2 } },
  { name: 'tool_in_air', at: null, asked: once, ran: [2, 1], begun: { step: 2, times: 2 } },
];
/** An effect that must not happen twice: a person says that it has happened. */
const effect: Case = { ...at('tool-ran', 1, once, [1, 1]), name: 'once' };
/** Frozen, not killed: its answer arrives when another has its task. */
const frozen: Case = { ...at('model-answered', 1, [2, 1, 1], [1, 1]), name: 'frozen' };
const all = [...cases, effect, frozen];

const roleFile = (name: string) => `---
name: ${name}
description: Runs two commands, one after the other.
model: { provider: anthropic, name: claude-haiku-4-5 }
tools: [execute_terminal_command]
limits: { max_steps: 5, timeout_ms: 300000, concurrency: 1 }
sandbox: { shell: true }
---
You run what the task asks for.
`;

/** Two commands, each of which says outside the log that it ran; then the end. */
function think({ task, results }: Asked, word = `${results.length + 1}`) {
  if (results.length === 2) return says('done');
  const pause = task === 'tool_in_air' ? '; sleep 1' : '';
  const command = `echo ${word} >> ${RUNS}${pause}`;
  return calls({
    name: 'execute_terminal_command',
    input: { command, idempotent: task !== effect.name },
  });
}

interface Stage {
  readonly space: Namespace;
  readonly minds: Minds;
  readonly missions: ReadonlyMap<string, string>;
  /** The workers that die, by role. */
  readonly victims: Map<string, Running>;
}

const runsOf = ({ space, missions }: Stage, { name }: Case): string[] => {
  const file = space.file(missions.get(name) ?? '', RUNS);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

/** A worker for the role of this case alone, until it is dead. */
async function die(stage: Stage, which: Case): Promise<void> {
  const { space, minds, victims } = stage;
  const stop = which.at === null ? {} : { RAVENHELM_STOP_AT: which.at, RAVENHELM_STOP_WITH: 'SIGKILL' };
  const options = { args: ['--roles', which.name], env: { ...minds.env, ...stop }, wait: false };
  const victim = await space.start('worker', options);
  victims.set(which.name, victim);
  const late = AbortSignal.timeout(60_000);
  if (which.name === 'tool_in_air') {
    while (runsOf(stage, which).length === 0 && !late.aborted) await sleep(25);
    victim.signal('SIGKILL');
  }
  const code = await Promise.race([victim.exited, sleep(60_000, 'alive', { ref: false })]);
  assert.equal(
    code,
    null,
    `${which.name}: killed; its log:\n${readFileSync(victim.log, 'utf8').slice(-2000)}`,
  );
}

/** A process that is stopped; its state is the third field of its line in /proc. */
async function untilStopped({ pid }: Running): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(25)) {
    if (/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return;
  }
  assert.fail('the worker has not frozen itself in 60 s');
}

async function readSteps({ context, prefix }: Namespace): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  await readTopic({
    kafka: context.kafka,
    topic: context.topics.steps,
    prefix,
    until: 'end',
    signal: AbortSignal.timeout(30_000),
    each: ({ message: { value } }) => {
      if (value !== null)
        records.push({ event: context.codec.decode(value).value as StepEvent, bytes: value });
    },
  });
  return records;
}

/** What was done outside is what it would have been, and the one call more that this point allows. */
function checkOutside(stage: Stage, which: Case): void {
  const asked = [0, 0, 0];
  for (const { request } of stage.minds.fakes.anthropic.calls) {
    const { task, results } = askedOf(request);
    if (task === which.name) asked[results.length] = (asked[results.length] ?? 0) + 1;
  }
  const lines = runsOf(stage, which);
  const ran = ['1', '2'].map((n) => lines.filter((line) => line === n).length);
  assert.deepEqual({ asked, ran }, { asked: which.asked, ran: which.ran }, which.name);
}

/** The journal is whole, each of the five steps has one outcome, and none was begun after it had one. */
function checkJournal(
  { space, missions }: Stage,
  { name, begun }: Case,
  steps: readonly JournalRecord[],
): void {
  const mission_id = missions.get(name) ?? '';
  const mine = steps.filter(({ event }) => event.correlation_id === mission_id);
  const lease = Math.max(...mine.map(({ event }) => event.payload.lease));
  const { outcomes, tail } = foldJournal(mine, { mission_id, task_id: name, attempt: 1, lease });
  assert.deepEqual([...outcomes.keys()], [1, 2, 3, 4, 5], `${name}: outcomes`);
  const completed = space.facts
    .of(mission_id)
    .find((fact): fact is EventOf<'task_completed'> => fact.event_type === 'task_completed');
  assert.equal(completed?.payload.journal_hash, tail.hash, `${name}: the ledger vouches for its journal`);

  const intents = mine.filter(
    ({ event }) => event.event_type.endsWith('_started') && event.payload.step === begun?.step,
  );
  assert.equal(intents.length, begun?.times ?? 0, `${name}: intents of step ${begun?.step}`);

  const known = new Set<number>();
  let oldest = 0;
  for (const { event } of mine) {
    const { step, lease: by } = event.payload;
    if (by < oldest) continue;
    if (event.event_type === 'journal_resumed') oldest = by;
    else assert.ok(!known.has(step), `${name}: ${event.event_type} of step ${step} after its outcome`);
    if (event.event_type.endsWith('_ended')) known.add(step);
  }
}

test('kill -9 at every point of the loop', { timeout: 240_000 }, async (t) => {
  const roles = all.map(({ name }) => name);
  const roleFiles = Object.fromEntries(roles.map((name) => [name, roleFile(name)]));
  const space = await openNamespace(t, { roles, roleFiles, partitions: 1 });
  space.beforeClose(async () => atOnce.clearQueue());
  const victims = new Map<string, Running>();
  const secondAsked = Promise.withResolvers<void>();
  const mayAnswer = Promise.withResolvers<void>();
  let askedOfFrozen = 0;
  const anthropic: Mind = async (asked) => {
    const { task, results } = asked;
    const victim = task === 'model_in_air' ? victims.get(task) : undefined;
    if (victim !== undefined) {
      victims.delete(task);
      victim.signal('SIGKILL');
      await victim.exited;
    }
    if (task !== frozen.name || results.length > 0) return think(asked);
    askedOfFrozen += 1;
    if (askedOfFrozen === 1) return think(asked, 'zombie');
    secondAsked.resolve();
    await mayAnswer.promise;
    return think(asked);
  };
  const minds = await startMinds(t, { anthropic });
  await space.start('orchestrator');
  const missions = new Map(
    await Promise.all(
      roles.map(async (name) => {
        const tasks = [taskSpec({ id: name, role: name, description: 'Run two commands.' })];
        return [name, await space.submit({ tasks, limits })] as const;
      }),
    ),
  );
  const stage: Stage = { space, minds, missions, victims };
  const missionOf = ({ name }: Case) => missions.get(name) ?? '';

  const freeze = async () => {
    const env = { ...minds.env, RAVENHELM_STOP_AT: frozen.at ?? '' };
    const zombie = await space.start('worker', { args: ['--roles', frozen.name], env, wait: false });
    await untilStopped(zombie);
    return zombie;
  };
  const [zombie] = await Promise.all([
    atOnce(freeze),
    ...[...cases, effect].map((which) => atOnce(() => die(stage, which))),
  ]);
  await space.start('worker', { env: minds.env });

  await t.test('what must not happen twice is asked about, and what happened is not repeated', async () => {
    const asked = await space.facts.review(missionOf(effect));
    assert.deepEqual([asked.kind, asked.task_id], ['reconcile', effect.name]);
    assert.deepEqual(runsOf(stage, effect), ['1']);
    await space.command({
      event_type: 'review_completed',
      correlation_id: missionOf(effect),
      review_id: asked.review_id,
      arguments_hash: asked.arguments_hash,
      decision: 'happened',
      comment: 'the file has the line',
    });
  });

  await t.test('the answer to a worker that was frozen beyond its lease does not count', async () => {
    const asked = await Promise.race([
      secondAsked.promise.then(() => true),
      sleep(60_000, false, { ref: false }),
    ]);
    assert.ok(asked, 'the next lease has come to its call of the model');
    zombie.signal('SIGCONT');
    const isLate = ({ event }: JournalRecord) =>
      event.correlation_id === missionOf(frozen) &&
      event.event_type === 'model_call_ended' &&
      event.payload.lease === 1;
    let late = false;
    for (let i = 0; !late && i < 40; i++) late = (await readSteps(space)).some(isLate);
    assert.ok(late, 'it wrote its outcome after the marker of the next lease');
    mayAnswer.resolve();
    await space.facts.end(missionOf(frozen));
    assert.deepEqual(runsOf(stage, frozen), ['1', '2'], 'no command of the late answer ran');
  });

  for (const which of all) await space.facts.end(missionOf(which), 90_000);
  const steps = await readSteps(space);
  for (const which of all) {
    await t.test(which.name, async () => {
      const end = await space.facts.end(missionOf(which));
      assert.equal(end.event_type, 'mission_completed', JSON.stringify(end.payload));
      checkOutside(stage, which);
      checkJournal(stage, which, steps);
    });
  }
  assert.deepEqual(minds.fakes.anthropic.refused, []);
  await verifyAll(space);
});
