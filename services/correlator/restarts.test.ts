import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { openLog } from '#chassis/log.ts';
import type { InputRecord } from '#chassis/processor.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { noUsage } from '#schemas/usage.ts';
import { topicNames } from '#topics/table.ts';
import { Correlations } from './correlations.ts';
import type { Standing } from './decide.ts';
import {
  aggregator,
  asks,
  emission,
  emits,
  fold,
  Ledger,
  ledgerTopic,
  nobody,
  settled,
  subscription,
  task,
} from './scenario.ts';

const codec = createCodec(numberedIds());
const topics = topicNames('ravenhelm');
const log = openLog('test', 'silent');

/** One partition whose owners come and go: what they sent, and the changelog that they hand on. */
class Fleet {
  readonly sent: string[] = [];
  readonly changelog = new Map<string, Buffer>();
  owner: Correlations;
  private readonly standing: Standing;
  private offset = 0;

  constructor(standing: Standing) {
    this.standing = standing;
    this.owner = this.open();
  }

  private open(): Correlations {
    const { standing } = this;
    return new Correlations({ partition: 0, partitions: 1, topics, codec, log, standing: () => standing });
  }

  /** A transaction: these facts, what came of them, and the state. */
  commit(facts: readonly FactEvent[]): void {
    for (const fact of facts) {
      const bytes = codec.encode(fact);
      const record: InputRecord = {
        topic: ledgerTopic,
        partition: 0,
        offset: this.offset++,
        key: fact.correlation_id,
        timestamp: fact.timestamp,
        traceparent: null,
        decoded: codec.decode(bytes),
        bytes,
      };
      this.owner.handle(record, 0, {
        send: (topic, { key, value }) =>
          void this.sent.push(`${topic} ${String(key)} ${value?.toString('base64')}`),
        afterCommit: () => undefined,
        full: false,
      });
    }
    for (const [key, value] of this.owner.changes()) {
      if (value === null) this.changelog.delete(key);
      else this.changelog.set(key, value);
    }
  }

  /** The owner dies, and another restores what it wrote. */
  restart(): void {
    this.owner = this.open();
    for (const [key, value] of this.changelog) this.owner.restore(key, value);
    this.owner.restored();
  }
}

const names = ['A', 'B', 'C'];
const name = fc.constantFrom(...names);
const reaction = fc.oneof(
  name.map((each) => emits(each, '{{event_id}}')),
  fc.constantFrom('x', 'y', '').map((id) => asks({ id, description: 'after {{event_type}}' })),
);
const someSubscription = fc
  .tuple(fc.nat(3), fc.constantFrom(...names, 'task_completed', 'aggregation_*'), reaction, fc.nat(2))
  .map(([number, type, made, most]) => subscription(`s${number}`, { type }, made, most));
const someAggregator = fc
  .tuple(
    fc.nat(2),
    fc.subarray([...names, 'task_completed'], { minLength: 1 }),
    fc.option(reaction),
    fc.nat(1),
  )
  .map(([number, types, made, timeout]) =>
    aggregator(
      `j${number}`,
      types.map((type) => ({ type })),
      { on_complete: made, on_timeout: made, timeout_ms: timeout * 1000 },
    ),
  );
const byName = <T extends { readonly name: string }>(all: readonly T[]): T[] => [
  ...new Map(all.map((each) => [each.name, each])).values(),
];
const options = fc.record({
  subscriptions: fc.array(someSubscription, { maxLength: 3 }).map(byName),
  aggregators: fc.array(someAggregator, { maxLength: 2 }).map(byName),
  events: fc.array(
    name.map((each) => emission(each)),
    { maxLength: 2 },
  ),
  max_hops: fc.constant(5),
});
const standing = fc.record({
  subscriptions: fc.array(someSubscription, { maxLength: 1 }),
  aggregators: fc.array(someAggregator, { maxLength: 1 }),
});
const happening = fc.oneof(
  name.map((each) => (ledger: Ledger) => ledger.emitted(each)),
  fc.constantFrom('a', 'b').map((id) => (ledger: Ledger) => ledger.completed(id)),
  fc.constantFrom('j0', 'j1').map((id) => (ledger: Ledger) => ledger.timer(id)),
);

describe('a mission whose changelog contradicts itself', () => {
  it('is set aside, and the others of its partition go on', () => {
    const ledgers = ['m', 'n'].map((id) =>
      new Ledger(id)
        .accepted({ subscriptions: [subscription('s', { type: 'A' }, emits('B', '1'))] }, [task('a')])
        .planned([task('a')]),
    );
    const ended = { reason: '', cancelled_by: 'p', completed: 0, usage: noUsage, compensated: [] };
    const fleet = new Fleet(nobody);
    for (const { facts } of ledgers) fleet.commit(facts);
    fleet.changelog.set('mission/m', Buffer.from('?'));
    fleet.restart();
    assert.match(fleet.owner.problems().join(), /^changelog_broken: mission m of partition 0: /);
    for (const ledger of ledgers) fleet.commit(ledger.emitted('A').facts.slice(-1));
    assert.deepEqual(
      fleet.sent.map((line) => line.split(' ')[1]),
      ['n'],
    );
    for (const ledger of ledgers)
      fleet.commit(ledger.add('mission_cancelled', 'orchestrator', ended).facts.slice(-1));
    assert.deepEqual([...fleet.changelog.keys()], []);
    assert.deepEqual(fleet.owner.problems(), []);
  });
});

describe('property: the correlator', () => {
  it('gives the same reports of a ledger in whatever batches, and restarted wherever', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(options, fc.array(happening, { maxLength: 6 })), { minLength: 1, maxLength: 3 }),
        standing,
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { minLength: 1, maxLength: 12 }),
        (missions, rules, batches) => {
          const facts = interleaved(
            missions.map(([given, happens], number) => {
              const ledger = new Ledger(`m${number}`).accepted(given, [task('a')]).planned([task('a')]);
              for (const { name: event } of given.events) ledger.emitted(event);
              for (const happen of happens) happen(ledger);
              settled(ledger, rules, 5000);
              return ledger.facts;
            }),
          );
          const whole = new Fleet(rules);
          whole.commit(facts);
          const parts = new Fleet(rules);
          for (let at = 0, turn = 0; at < facts.length; turn++) {
            const [size = 1, dies = false] = batches[turn % batches.length] ?? [];
            parts.commit(facts.slice(at, at + size));
            at += size;
            if (dies) parts.restart();
          }
          assert.deepEqual(parts.sent, whole.sent);
          assert.deepEqual([...parts.changelog.keys()].sort(), [...whole.changelog.keys()].sort());
        },
      ),
      { numRuns: 200 },
    );
  });

  it('makes every report once', () => {
    fc.assert(
      fc.property(options, fc.array(happening, { maxLength: 6 }), (given, happens) => {
        const ledger = new Ledger().accepted(given, [task('a')]).planned([task('a')]);
        for (const { name: event } of given.events) ledger.emitted(event);
        for (const happen of happens) happen(ledger);
        settled(ledger, nobody, 5000);
        const ids = fold(ledger.facts).reports.map(({ event_id }) => event_id);
        assert.equal(new Set(ids).size, ids.length);
      }),
    );
  });

  it('forgets a mission with its end, and keeps nothing of one that nothing reacts to', () => {
    const fleet = new Fleet(nobody);
    const end = { tasks: 1, attempts: 1, duration_ms: 1, result: '', missing: [], usage: noUsage };
    const plain = new Ledger('plain')
      .accepted({}, [task('a')])
      .planned([task('a')])
      .completed('a');
    fleet.commit(plain.facts);
    assert.equal(fleet.changelog.size, 0);
    const reacting = new Ledger('reacting').accepted({
      subscriptions: [subscription('s', { type: 'A' }, emits('B'))],
    });
    fleet.commit(reacting.facts);
    assert.deepEqual([...fleet.changelog.keys()], ['mission/reacting', 'reactions/reacting']);
    fleet.restart();
    const last = reacting.add('mission_completed', 'orchestrator', end).facts.at(-1);
    assert.ok(last);
    fleet.commit([last]);
    assert.equal(fleet.changelog.size, 0);
  });
});

/** One fact of each in turn. */
function interleaved(all: readonly (readonly FactEvent[])[]): FactEvent[] {
  const longest = Math.max(...all.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => all.flatMap((facts) => facts.slice(at, at + 1))).flat();
}
