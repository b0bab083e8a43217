import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openLog } from '#chassis/log.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { ClaimedLeases } from './claimed-leases.ts';

const scheduleToStartMs = 300_000;
const log = openLog('claims', 'silent');

/** `sequence` 0: it was sent again. */
const assignment = (task_id: string, attempt: number, lease: number, sequence = 7) =>
  ({ correlation_id: 'm', sequence, payload: { task_id, attempt, lease } }) as EventOf<'task_assigned'>;

/** A partition of a role's tasks, which goes from worker to worker. */
function partition() {
  const changelog = new Map<string, Buffer>();
  let leases = new ClaimedLeases(scheduleToStartMs, log);
  const commit = () => {
    for (const [key, value] of leases.changes()) {
      changelog.delete(key);
      if (value !== null) changelog.set(key, value);
    }
  };
  return {
    changelog,
    /** True: it is claimed and run. */
    offer(given: EventOf<'task_assigned'>, sentAt: number, now: number): boolean {
      if (leases.has(given)) return false;
      leases.add(given, sentAt, now);
      commit();
      return true;
    },
    moves() {
      leases = new ClaimedLeases(scheduleToStartMs, log);
      for (const [key, value] of changelog) leases.restore(key, value);
    },
  };
}

describe('an assignment that was sent again', () => {
  it('is run once, whichever copy comes first, and whoever has the partition by then', () => {
    const { offer, moves } = partition();
    const again = assignment('t', 1, 1, 0);
    assert.equal(offer(assignment('t', 1, 1), 0, 400_000), true);
    moves();
    assert.equal(offer(again, 300_000, 500_000), false);
    assert.equal(offer(assignment('u', 1, 1, 0), 300_000, 500_000), true, 'the first copy was lost');
    moves();
    assert.equal(offer(assignment('u', 1, 1, 0), 900_000, 900_001), false);
  });

  it('says nothing of the next lease, nor of the next attempt', () => {
    const { offer } = partition();
    assert.equal(offer(assignment('t', 1, 1), 0, 400_000), true);
    assert.equal(offer(assignment('t', 1, 2), 400_001, 400_002), true);
    assert.equal(offer(assignment('t', 2, 1), 400_003, 400_004), true);
    assert.equal(offer(assignment('t', 1, 1, 0), 400_005, 800_000), false);
  });

  it('is refused when a later lease of its task was claimed late', () => {
    const { offer } = partition();
    assert.equal(offer(assignment('t', 2, 2), 0, 400_000), true);
    assert.equal(offer(assignment('t', 2, 1, 0), 1, 400_001), false);
    assert.equal(offer(assignment('t', 1, 9, 0), 1, 400_001), false);
    assert.equal(offer(assignment('t', 2, 3), 400_001, 400_002), true);
  });

  it('costs nothing when assignments are begun in time, and is forgotten when no copy can come any more', () => {
    const { offer, changelog } = partition();
    for (let at = 0; at < 100; at += 1) offer(assignment(`t${at}`, 1, 1), 1_000, 1_010);
    assert.equal(changelog.size, 0);
    for (let at = 0; at < 100; at += 1) offer(assignment(`late${at}`, 1, 1), 0, 400_000);
    assert.equal(changelog.size, 100);
    offer(assignment('next', 1, 1), 1_000_001, 1_000_002);
    assert.equal(changelog.size, 0);
  });
});
