/** An orchestrator of an older version beside one of a newer: what it has no rules for, it leaves to the other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '#chassis/partitioner.ts';
import { newestRules } from '#orchestrator/rules.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { verifyAll } from './books.ts';
import { type Namespace, openNamespace, type Running, scriptedTask } from './harness.ts';

const partitions = 2;
/** Nobody runs the role, so its missions go on for as long as nobody cancels them. */
const tasks = [scriptedTask({ id: 'a', role: 'absent' })];

/** Submits a mission to a partition, and gives the version of the rules that it was accepted with. */
async function accepted(space: Namespace, name: string, partition: number): Promise<number> {
  const id = idIn(name, partition);
  await space.submit({ correlation_id: id, tasks });
  const isIt = (type: string) => space.facts.of(id).find(({ event_type }) => event_type === type);
  await space.facts.until(() => isIt('mission_accepted') !== undefined, `acceptance of ${id}`);
  return (isIt('mission_accepted') as EventOf<'mission_accepted'>).payload.rules;
}

function idIn(name: string, partition: number): string {
  for (let number = 0; ; number += 1) {
    const id = `${name}-${number}`;
    if (partitionOf(id, partitions) === partition) return id;
  }
}

async function until(look: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(50)) {
    if (await look()) return;
  }
  assert.fail(`waited too long until ${what}`);
}

const hasGivenUp = (service: Running, partition: number): number =>
  readFileSync(service.log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"partition given up"') && line.includes(`"partition":${partition}`))
    .length;

test('a partition whose missions have rules that a member does not know', { timeout: 300_000 }, async (t) => {
  const space = await openNamespace(t, { roles: ['absent'], partitions });
  const newer = await space.start('orchestrator');
  assert.equal(await accepted(space, 'first', 1), newestRules);

  // It is given partition 1, as the other keeps partition 0.
  const older = await space.start('orchestrator', { env: { RAVENHELM_RULES_KNOWN: '0' }, wait: false });
  await until(() => hasGivenUp(older, 1) > 0, 'it gives partition 1 up');
  await Promise.all([older.ready(), newer.ready()]);
  assert.equal(await accepted(space, 'left', 1), newestRules, 'the other has it');
  assert.equal(await accepted(space, 'kept', 0), 0, 'and it has another in its place');

  const before = hasGivenUp(older, 1);
  await newer.stop();
  await until(async () => (await older.readiness()).includes('partition 1: mission first-'), 'it says why');
  assert.match(await older.readiness(), /^no: .* is decided by rules 1, and this version has 0/);
  assert.equal(await accepted(space, 'alone', 0), 0, 'the other partition goes on');
  await until(() => hasGivenUp(older, 1) > before, 'it has tried again');
  // Were it to ask the group for another member each time, this would go on and on.
  await sleep(2_000);
  assert.equal(hasGivenUp(older, 1), before + 1, 'once for each time that it is given the partition');
  assert.match(await older.readiness(), /^no: /);

  await space.start('orchestrator');
  const id = idIn('first', 1);
  await space.command({ event_type: 'mission_cancelled', correlation_id: id, reason: 'enough' });
  assert.equal((await space.facts.end(id)).event_type, 'mission_cancelled', 'it went on');
  await older.ready();
  assert.equal(await Promise.race([older.exited, sleep(0, 'runs')]), 'runs', 'the first process still');
  await verifyAll(space);
});
