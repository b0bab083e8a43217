import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { openLog } from '#chassis/log.ts';
import { Transaction } from '#chassis/transaction.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { journeys, ledgerOf, travel, wideJourneys } from '#orchestrator/journey.ts';
import { noTail, seal } from '#orchestrator/ledger.ts';
import { completed, history, start, started, submit, task } from '#orchestrator/scenario.ts';
import { mostStateBytes } from '#orchestrator/sizes.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { topicNames } from '#topics/table.ts';
import { statisticsEvent, totalsOf } from './event.ts';
import { RoleParts } from './role-parts.ts';
import { RoleSums } from './role-sums.ts';
import { noTotals, type RoleTotals, sumOf } from './role-totals.ts';

const codec = createCodec(numberedIds());
const topics = topicNames('test');
const log = openLog('statistics', 'silent');

type Logic = RoleParts | RoleSums;

/** A partition of a processor, with what it has written; restored from its changelog wherever `restarts` says so. */
class Play {
  readonly sent: EventOf<'role_statistics'>[] = [];
  readonly changelog = new Map<string, Buffer>();
  private readonly open: () => Logic;
  private logic: Logic;
  private offset = 0;

  constructor(open: () => Logic) {
    this.open = open;
    this.logic = open();
  }

  give(records: readonly Buffer[]): void {
    const out = new Transaction();
    for (const bytes of records) {
      this.offset += 1;
      const about = {
        topic: 'x',
        partition: 0,
        offset: this.offset,
        key: null,
        timestamp: 0,
        traceparent: null,
      };
      this.logic.handle({ ...about, decoded: codec.decode(bytes), bytes });
    }
    this.logic.conclude(out);
    for (const { message } of out.records) {
      const { name, value } = codec.decode(message.value ?? Buffer.alloc(0));
      assert.ok(name === 'RoleStatistics');
      this.sent.push(value);
    }
    for (const [key, value] of this.logic.changes()) {
      if (value === null) this.changelog.delete(key);
      else this.changelog.set(key, value);
    }
  }

  restart(): void {
    this.logic = this.open();
    for (const [key, value] of this.changelog) this.logic.restore(key, value);
    this.logic.restored();
  }

  /** What the changelog still has of missions. */
  get missions(): number {
    return [...this.changelog.keys()].filter((key) => !key.startsWith('role/')).length;
  }

  newest(): Map<string, RoleTotals> {
    return new Map(this.sent.map((event) => [event.payload.role, totalsOf(event)]));
  }
}

const partsPlay = () => new Play(() => new RoleParts({ partition: 0, topics, codec, log }));

const journey = fc.oneof(journeys(8), wideJourneys(8)).map((drawn) => travel(drawn));

/** The ledger of a mission with one task for the role `a_role`. */
function ledgerWith(mission_id: string, code = ''): Buffer[] {
  const { facts } = history(submit([task('a')], { mission_id, name: code }), started('a'), completed('a'));
  const about = { mission_id, priority: 'normal', causation_id: 'c', now: start } as const;
  return seal(facts, { ...about, tail: noTail, codec }).events.map(({ bytes }) => bytes);
}

describe('a mission that statistics cannot keep', () => {
  it('is set aside when its changelog contradicts itself, and the others are counted', () => {
    let open: RoleParts | null = null;
    const play = new Play(() => {
      open = new RoleParts({ partition: 0, topics, codec, log });
      return open;
    });
    const [m, n] = [ledgerWith('m'), ledgerWith('n')];
    play.give([...m.slice(0, 4), ...n.slice(0, 4)]);
    play.changelog.set('mission/m', Buffer.from('?'));
    play.changelog.set('assigned/n', Buffer.from('{'));
    play.restart();
    const parts = open as RoleParts | null;
    assert.match(parts?.problems().join('\n') ?? '', /^changelog_broken: mission m of partition 0: .*$/);
    play.give([...m.slice(4), ...n.slice(4)]);
    assert.equal(play.newest().get('a_role')?.completed, 1);
    assert.equal(play.missions, 0, 'with their ends nothing is kept of either');
    assert.deepEqual(parts?.problems(), []);
  });

  it('is set aside when the changelog would not take it, also after a restart', () => {
    const play = partsPlay();
    const [large, n] = [ledgerWith('large', 'x'.repeat(mostStateBytes)), ledgerWith('n')];
    play.give([...large.slice(0, 4), ...n.slice(0, 4)]);
    for (const [key, { length }] of play.changelog) assert.ok(length <= mostStateBytes, key);
    play.restart();
    play.give([...large.slice(4), ...n.slice(4)]);
    assert.equal(play.newest().get('a_role')?.completed, 1);
    assert.equal(play.missions, 0);
  });
});

describe('statistics of roles', () => {
  it('are the same wherever the service was restarted, and however the facts came together', () => {
    fc.assert(
      fc.property(journey, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (steps, sizes) => {
        const { records } = ledgerOf('m1', steps, codec);
        const [straight, cut] = [partsPlay(), partsPlay()];
        straight.give(records);
        for (let from = 0, i = 0; from < records.length; i += 1) {
          const size = sizes[i % sizes.length] ?? 1;
          cut.give(records.slice(from, from + size));
          from += size;
          if (size % 2 === 0) cut.restart();
        }
        assert.deepEqual(cut.newest(), straight.newest());
      }),
      { numRuns: 600 },
    );
  });

  it('are what the facts of the ledger and the state at its end say', () => {
    fc.assert(
      fc.property(journey, (steps) => {
        const { records } = ledgerOf('m1', steps, codec);
        const play = partsPlay();
        play.give(records);
        const sum = sumOf(play.newest().values());
        const all = records.map((bytes) => codec.decode(bytes).value as FactEvent);
        // A task that is a mission of its own is nobody's work.
        const missions = new Set(
          all.flatMap((fact) =>
            fact.event_type === 'task_assigned' && fact.payload.kind === 'mission'
              ? [fact.payload.task_id]
              : [],
          ),
        );
        const facts = all.filter(({ payload }) => !('task_id' in payload && missions.has(payload.task_id)));
        const count = (...types: string[]) =>
          facts.filter(({ event_type }) => types.includes(event_type)).length;
        const last = steps.findLast(({ decision }) => decision.kind === 'facts');
        assert.ok(last?.decision.kind === 'facts');
        const { tasks, plan } = last.decision.state;
        const now = (status: string) =>
          tasks.filter((task, i) => task.status === status && plan?.tasks[i]?.kind !== 'mission').length;
        for (const status of ['pending', 'assigned', 'running', 'parked', 'waiting'] as const)
          assert.equal(sum[status], now(status), status);
        // A planning that a plan has taken the place of has ended, too.
        assert.equal(sum.completed, count('task_completed'));
        assert.equal(sum.attempts_failed, count('task_attempt_failed', 'task_failed'));
        assert.equal(sum.failed, count('task_failed'));
        assert.equal(sum.queue.count, count('task_started'));
        const work = facts.flatMap((fact) =>
          fact.event_type === 'task_completed' ? [fact.payload.duration_ms] : [],
        );
        assert.deepEqual(sum.work, {
          count: work.length,
          total_ms: work.reduce((a, b) => a + b, 0),
          min_ms: work.length === 0 ? 0 : Math.min(...work),
          max_ms: work.length === 0 ? 0 : Math.max(...work),
        });
        const over = tasks.every(({ status }) => ['completed', 'failed', 'cancelled'].includes(status));
        if (over && last.decision.state.ended_at > 0) assert.equal(play.missions, 0, 'it is forgotten');
      }),
      { numRuns: 600 },
    );
  });

  it('are added up over the partitions, by the newest of each', () => {
    const totals = fc.record({ completed: fc.nat(50), running: fc.nat(5), ms: fc.nat(1000) });
    const said = fc.record({
      role: fc.constantFrom('a', 'b'),
      partition: fc.nat(3),
      totals,
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(said, { minLength: 1, maxLength: 30 }), (all) => {
        const play = new Play(() => new RoleSums({ topics, codec, log }));
        const newest = new Map<string, { role: string; totals: RoleTotals }>();
        all.forEach(({ role, partition, totals: drawn, restart }, at) => {
          const { ms, ...some } = drawn;
          const work = { count: 1, total_ms: ms, min_ms: ms, max_ms: ms };
          const whole: RoleTotals = { ...noTotals(), ...some, work };
          newest.set(`${role}/${partition}`, { role, totals: whole });
          play.give([codec.encode(statisticsEvent(role, partition, whole, at))]);
          if (restart) play.restart();
        });
        for (const [role, found] of play.newest()) {
          const parts = [...newest.values()].flatMap((each) => (each.role === role ? [each.totals] : []));
          const times = parts.map(({ work }) => work.total_ms);
          assert.equal(
            found.completed,
            parts.reduce((sum, { completed }) => sum + completed, 0),
          );
          assert.equal(
            found.running,
            parts.reduce((sum, { running }) => sum + running, 0),
          );
          assert.deepEqual([found.work.min_ms, found.work.max_ms], [Math.min(...times), Math.max(...times)]);
        }
        assert.ok(play.sent.every(({ payload }) => payload.partition === -1));
      }),
    );
  });
});
