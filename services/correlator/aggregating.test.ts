import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { begun, received } from './joins.ts';
import { aggregator, asks, emits, fold, Ledger, nobody, only, start, task } from './scenario.ts';

const types = (made: ReturnType<typeof fold>) => made.reports.map(({ event_type }) => event_type);
const two = [
  { name: 'one', type: 'One' },
  { name: 'two', type: 'Two' },
];

describe('aggregators', () => {
  it('of a mission begin with it, with the time of its acceptance', () => {
    const made = fold(
      new Ledger().accepted({ aggregators: [aggregator('both', two, { timeout_ms: 5000 })] }).facts,
    );
    const [begun] = only(made, 'aggregation_started');
    assert.deepEqual(begun?.payload, {
      aggregation: 'both',
      expected: ['one', 'two'],
      due_at: start + 1000 + 5000,
      trigger: 'm1:1',
    });
    assert.equal(begun?.event_id, 'm1:1/both/started');
  });

  it('complete with the last event that they wait for, and say which events these were', () => {
    const ledger = new Ledger().accepted({ aggregators: [aggregator('both', two)] }).planned([task('a')]);
    ledger.emitted('Two', null, { hops: 3 }).emitted('One');
    const [end] = only(fold(ledger.facts), 'aggregation_completed');
    assert.deepEqual(end?.payload, {
      aggregation: 'both',
      received: ['one', 'two'],
      missing: [],
      events: ['m1:4', 'm1:3'],
      hops: 3,
    });
    assert.equal(end?.event_id, 'm1:4/both/completed');
  });

  it('count no event twice: not a repeated fact, not the same name again', () => {
    const ledger = new Ledger().accepted({ aggregators: [aggregator('both', two)] }).planned([task('a')]);
    ledger.emitted('One').emitted('One');
    const last = ledger.facts.at(-1);
    assert.ok(last);
    const made = fold([...ledger.facts, last, last]);
    assert.deepEqual(types(made), ['aggregation_started']);
    assert.deepEqual(
      made.state?.joins.get('both')?.received.map(({ name, event_id }) => [name, event_id]),
      [['one', 'm1:3']],
    );
  });

  it('take one event for one of the patterns it fits, whatever the order', () => {
    const any = { name: 'any', type: 'task_completed' };
    const b = { name: 'b', type: 'task_completed', source: 'b_role' };
    const ends = (first: string, second: string) => {
      const ledger = new Ledger().accepted({ aggregators: [aggregator('both', [any, b])] });
      ledger
        .planned([task('a'), task('b'), task('c')])
        .completed(first)
        .completed(second);
      return only(fold(ledger.facts), 'aggregation_completed').map(({ payload }) => payload.events);
    };
    assert.deepEqual(ends('a', 'b'), [['m1:3', 'm1:4']]);
    // b came first and was taken for any: it moves.
    assert.deepEqual(ends('b', 'a'), [['m1:4', 'm1:3']]);
    assert.deepEqual(ends('a', 'c'), []);
  });

  it('take an event that comes again for none of the others that it fits', () => {
    const twice = begun(aggregator('twice', [{ name: 'first' }, { name: 'second' }]), true, start);
    const fact = new Ledger().emitted('X').facts[0];
    assert.ok(fact);
    const once = received(twice, twice.expected, { fact, hops: 0 });
    assert.equal(once.received.length, 1);
    assert.equal(received(once, twice.expected, { fact, hops: 0 }), once);
  });

  it('time out when their timer is on the ledger, with who is missing', () => {
    const ledger = new Ledger().accepted({ aggregators: [aggregator('both', two, { timeout_ms: 1 })] });
    ledger
      .planned([task('a')])
      .emitted('One')
      .timer('both')
      .emitted('Two');
    const made = fold(ledger.facts);
    const [end] = only(made, 'aggregation_timed_out');
    assert.deepEqual([end?.payload.received, end?.payload.missing], [['one'], ['two']]);
    assert.deepEqual(only(made, 'aggregation_completed'), [], 'what comes later changes nothing');
  });

  it('that were complete before their timer do not time out', () => {
    const ledger = new Ledger().accepted({ aggregators: [aggregator('both', two, { timeout_ms: 1 })] });
    ledger
      .planned([task('a')])
      .emitted('One')
      .emitted('Two')
      .timer('both');
    assert.deepEqual(types(fold(ledger.facts)), ['aggregation_started', 'aggregation_completed']);
  });

  it('react to the fact of their end, not to their own report', () => {
    const both = aggregator('both', two, {
      on_complete: asks({ id: 'next', description: '{{events.one.said}}!' }),
    });
    const ledger = new Ledger().accepted({ aggregators: [both] }).planned([task('a')]);
    ledger.emitted('One', 'first').emitted('Two');
    const before = fold(ledger.facts);
    assert.deepEqual(only(before, 'task_requested'), []);
    const [end] = only(before, 'aggregation_completed');
    assert.ok(end);
    ledger.add('aggregation_completed', 'correlator', end.payload, end.event_id);
    const [asked] = only(fold(ledger.facts), 'task_requested');
    assert.equal(asked?.payload.task.id, 'next');
    assert.equal(asked?.payload.task.description, '"first"!');
    assert.equal(asked?.payload.task.hops, 1);
    assert.equal(asked?.payload.trigger, 'm1:5');
  });

  it('that stand for all missions begin with the first event that they wait for, and need nothing before', () => {
    const standing = { ...nobody, aggregators: [aggregator('all', two, { timeout_ms: 10 })] };
    const ledger = new Ledger().accepted({}, [task('a')]).planned([task('a')]);
    assert.equal(fold(ledger.facts, standing).state, null, 'nothing to know');
    ledger.emitted('Two').emitted('One');
    const made = fold(ledger.facts, standing);
    assert.deepEqual(types(made), ['aggregation_started', 'aggregation_completed']);
    assert.deepEqual(made.reports[0]?.payload, {
      aggregation: 'all',
      expected: ['one', 'two'],
      due_at: start + 3010,
      trigger: 'm1:3',
    });
  });
});

describe('an aggregator that the orchestrator refuses', () => {
  const slow = aggregator('slow', two, { timeout_ms: 5000, on_timeout: emits('Late') });
  const refusal = (ledger: Ledger, of: string, trigger = 'm1:1') =>
    ledger.add(
      'error_raised',
      'correlator',
      {
        ...{ task_id: '', code: 'invalid_payload', message: 'too many', where: of, severity: 'error' },
        ...{ subscription: of, trigger },
      },
      `${trigger}/${of}/started`,
    );
  const begun = () => new Ledger().accepted({ aggregators: [slow] }, [task('a')]).planned([task('a')]);

  it('holds no mission, as no timer of it will fire, and takes no event', () => {
    const ledger = begun().completed('a');
    assert.deepEqual(only(fold(ledger.facts), 'reactions_settled'), []);
    const made = fold(refusal(ledger, 'slow').facts);
    assert.deepEqual(types(made), ['aggregation_started', 'reactions_settled']);
    assert.equal(made.state?.joins.get('slow')?.status, 'refused');
    const later = fold(ledger.emitted('One').emitted('Two').facts);
    assert.deepEqual(only(later, 'aggregation_completed'), []);
  });

  it('is known by the report that was refused, not by its name alone', () => {
    const other = begun()
      .completed('a')
      .add(
        'error_raised',
        'correlator',
        {
          ...{ task_id: '', code: 'hop_limit', message: 'slow', where: 'correlator', severity: 'error' },
          ...{ subscription: 'slow', trigger: 'm1:1' },
        },
        'm1:1/slow/hop-17',
      );
    assert.equal(fold(other.facts).state?.joins.get('slow')?.status, 'open');
  });

  it('leaves no end on its way that others would wait for', () => {
    const patient = aggregator('patient', [{ type: 'Never' }]);
    const ledger = new Ledger().accepted({ aggregators: [slow, patient] }, [task('a')]);
    ledger
      .planned([task('a')])
      .emitted('One')
      .emitted('Two');
    assert.equal(only(fold(ledger.facts), 'aggregation_completed').length, 1);
    refusal(ledger, 'slow').completed('a');
    assert.deepEqual(
      only(fold(ledger.facts), 'aggregation_timed_out').map(({ payload }) => payload.aggregation),
      ['patient'],
    );
  });
});
