import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultHops } from './hops.ts';
import { mostReactions } from './react.ts';
import {
  aggregator,
  asks,
  emission,
  emits,
  fold,
  Ledger,
  nobody,
  only,
  settled,
  start,
  subscription,
  task,
} from './scenario.ts';

const types = (made: ReturnType<typeof fold>) => made.reports.map(({ event_type }) => event_type);
const two = [
  { name: 'one', type: 'One' },
  { name: 'two', type: 'Two' },
];

describe('subscriptions', () => {
  it('ask for a task that is made of the event', () => {
    const reaction = asks({
      id: 'look-{{data.id}}',
      description: 'Look at {{data.id}} of {{source_agent}}.',
    });
    const ledger = new Ledger().accepted({
      subscriptions: [subscription('look', { type: 'Odd' }, reaction)],
    });
    ledger.planned([task('a')]).emitted('Odd', { id: 'x/1' });
    const [asked] = only(fold(ledger.facts), 'task_requested');
    assert.ok(asked);
    const { id, role, description, hops, caused_by, context } = asked.payload.task;
    assert.deepEqual([id, role, hops, caused_by], ['look-x-1', 'helper', 1, 'm1:3']);
    assert.equal(description, 'Look at x/1 of person.');
    assert.deepEqual((JSON.parse(context) as { data: unknown }).data, { id: 'x/1' });
    assert.deepEqual(
      [asked.event_id, asked.target_agent, asked.timestamp],
      ['m1:3/look/hop-1', 'helper', start + 3000],
    );
  });

  it('route by conditions, and say why', () => {
    const routes = [
      { when: [{ path: 'payload.code', op: 'eq', value: '"timeout"' }], role: 'patient' },
      { when: [{ path: 'payload.code', op: 'matches', value: '"model_*"' }], role: 'modeller' },
    ];
    const look = subscription('look', { type: 'task_failed' }, asks({ routes, role: 'other' }));
    const roleOf = (code: string) => {
      const ledger = new Ledger()
        .accepted({ subscriptions: [look] })
        .planned([task('a')])
        .failed('a', code);
      const [asked] = only(fold(ledger.facts), 'task_requested');
      return [asked?.payload.task.role, asked?.payload.reason];
    };
    assert.deepEqual(roleOf('timeout'), ['patient', 'role patient: payload.code eq "timeout"']);
    assert.deepEqual(roleOf('model_failed'), ['modeller', 'role modeller: payload.code matches "model_*"']);
    assert.deepEqual(roleOf('tool_failed'), ['other', 'no route fits']);
  });

  it('react at most as often as they say, to each event once', () => {
    const twice = subscription('twice', { type: 'X' }, emits('Y'), 2);
    const ledger = new Ledger().accepted({ subscriptions: [twice] }).planned([task('a')]);
    ledger.emitted('X').emitted('X').emitted('X');
    const ids = fold(ledger.facts).reports.map(({ event_id }) => event_id);
    assert.deepEqual(ids, ['m1:3/twice/hop-1', 'm1:4/twice/hop-1']);
  });

  it('do not react to a fact that is given again', () => {
    const each = subscription('each', { type: 'X' }, emits('Y'));
    const ledger = new Ledger()
      .accepted({ subscriptions: [each] })
      .planned([task('a')])
      .emitted('X');
    const last = ledger.facts.at(-1);
    assert.ok(last);
    assert.equal(fold([...ledger.facts, last]).reports.length, 1);
  });

  it('pause for a person', () => {
    const pause = { action: 'pause', task: null, emit: null, reason: 'look at {{payload.code}}' };
    const ledger = new Ledger().accepted({
      subscriptions: [subscription('stop', { severity: 'error' }, pause)],
    });
    ledger.planned([task('a'), task('b')]).failed('a');
    const [asked] = only(fold(ledger.facts), 'pause_requested');
    assert.deepEqual(asked?.payload, { subscription: 'stop', trigger: 'm1:3', reason: 'look at timeout' });
  });

  it('that stand for all missions begin missions of their own, even after the end', () => {
    const standing = {
      ...nobody,
      subscriptions: [subscription('notify', { type: 'mission_completed' }, asks({ priority: 'high' }))],
    };
    const end = { tasks: 1, attempts: 1, duration_ms: 1, result: '', missing: [], usage: {} as never };
    const ledger = new Ledger().accepted({}, [task('a')]).add('mission_completed', 'orchestrator', end);
    const { missions, reports, state } = fold(ledger.facts, standing);
    assert.deepEqual([reports, state], [[], null]);
    const [mission] = missions;
    assert.match(mission?.correlation_id ?? '', /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      [mission?.causation_id, mission?.priority, mission?.tasks[0]?.hops],
      ['m1:2', 'high', 1],
    );
    assert.deepEqual(fold(ledger.facts, standing).missions, missions, 'the same mission each time');
  });

  it('of a mission count more than standing ones of the same name', () => {
    const standing = { ...nobody, subscriptions: [subscription('s', { type: 'X' }, emits('Standing'))] };
    const own = subscription('s', { type: 'X' }, emits('Own'));
    const ledger = new Ledger()
      .accepted({ subscriptions: [own] })
      .planned([task('a')])
      .emitted('X');
    assert.deepEqual(
      only(fold(ledger.facts, standing), 'event_emitted').map(({ payload }) => payload.name),
      ['Own'],
    );
  });
});

describe('reactions to reactions', () => {
  const ping = subscription('ping', { type: 'Pong' }, emits('Ping'));
  const pong = subscription('pong', { type: 'Ping' }, emits('Pong'));
  const count = (ledger: Ledger, type: string) =>
    ledger.facts.filter(({ event_type }) => event_type === type).length;

  it('stop at the limit, said once, and nothing reacts to that', () => {
    const onError = subscription('on-error', { type: 'error_raised' }, emits('Ping'));
    const ledger = new Ledger().accepted({ subscriptions: [ping, pong, onError], max_hops: 4 }).planned();
    settled(ledger.emitted('Ping'));
    assert.equal(count(ledger, 'event_emitted'), 1 + 4);
    const errors = ledger.facts.filter((fact) => fact.event_type === 'error_raised');
    assert.deepEqual(
      errors.map(({ payload }) => payload.code),
      ['hop_limit'],
    );
    assert.equal(ledger.facts.at(-1)?.event_type, 'reactions_settled');
  });

  it('stop at sixteen by default, also between an aggregator and a subscription', () => {
    const join = aggregator('join', [{ type: 'A' }], { on_complete: emits('B') });
    const ledger = new Ledger()
      .accepted({
        subscriptions: [subscription('s', { type: 'B' }, emits('A'))],
        aggregators: [join],
        events: [emission('A')],
      })
      .planned()
      .emitted('A');
    settled(ledger);
    // An aggregator ends once in a mission, so this cycle ends by itself.
    assert.equal(count(ledger, 'event_emitted'), 3);
    const other = new Ledger()
      .accepted({ subscriptions: [ping, pong] })
      .planned()
      .emitted('Ping');
    settled(other);
    assert.equal(count(other, 'event_emitted'), 1 + defaultHops);
  });

  it('do not fill the ledger, however many each leads to', () => {
    const many = Array.from({ length: 8 }, (_, at) => subscription(`s${at}`, { type: 'X' }, emits('X')));
    const ledger = new Ledger().accepted({ subscriptions: many }).planned().emitted('X');
    settled(ledger, nobody, 5000);
    assert.equal(count(ledger, 'event_emitted'), 1 + mostReactions);
    const codes = ledger.facts.flatMap((fact) =>
      fact.event_type === 'error_raised' ? [fact.payload.code] : [],
    );
    assert.deepEqual(codes, ['reaction_limit']);
  });

  it('go on where an agent emits an event from the task that a reaction led to', () => {
    const helps = subscription('helps', { type: 'Help' }, asks());
    const ledger = new Ledger().accepted({ subscriptions: [helps] }).planned([task('a', { hops: 7 })]);
    ledger.emitted('Help', null, { task_id: 'a', attempt: 1, step: 2 });
    assert.equal(only(fold(ledger.facts), 'task_requested')[0]?.payload.task.hops, 8);
  });

  it('of missions that standing subscriptions begin stop as well', () => {
    const standing = {
      ...nobody,
      subscriptions: [subscription('again', { type: 'mission_accepted' }, asks())],
    };
    let given = [task('a')];
    let missions = 0;
    for (; missions < 100; missions++) {
      const made = fold(new Ledger(`m${missions}`).accepted({}, given).facts, standing);
      const [next] = made.missions;
      if (next === undefined) {
        assert.deepEqual(types(made), ['error_raised']);
        break;
      }
      given = [...next.tasks];
    }
    assert.equal(missions, defaultHops);
  });
});

describe('the end of a mission that reacts', () => {
  const listens = subscription('s', { type: 'Never' }, emits('Y'));

  it('waits for its tasks, and is told again with each fact', () => {
    const ledger = new Ledger().accepted({ subscriptions: [listens] }, [task('a')]).planned([task('a')]);
    assert.deepEqual(types(fold(ledger.facts)), []);
    ledger.completed('a');
    assert.deepEqual(only(fold(ledger.facts), 'reactions_settled')[0]?.payload, { up_to: 3 });
    ledger.emitted('Other');
    assert.deepEqual(only(fold(ledger.facts), 'reactions_settled')[1]?.payload, { up_to: 4 });
  });

  it('comes after the reactions to the same fact', () => {
    const more = subscription('more', { type: 'task_completed' }, asks({ id: 'more' }), 1);
    const ledger = new Ledger()
      .accepted({ subscriptions: [more] }, [task('a')])
      .planned([task('a')])
      .completed('a');
    assert.deepEqual(types(fold(ledger.facts)), ['task_requested', 'reactions_settled']);
  });

  it('waits for the events it begins with, and for aggregators with a timeout', () => {
    const events = [{ name: 'Begin', topic: '', severity: '', data: '' }];
    const slow = aggregator('slow', two, { timeout_ms: 5000 });
    const ledger = new Ledger().accepted({ subscriptions: [listens], events }).planned([], 'reactions');
    assert.deepEqual(types(fold(ledger.facts)), []);
    assert.deepEqual(types(fold(ledger.emitted('Begin').facts)), ['reactions_settled']);
    const held = new Ledger().accepted({ aggregators: [slow] }).planned([], 'reactions');
    assert.deepEqual(types(fold(held.facts)), ['aggregation_started']);
    const made = fold(held.timer('slow').facts);
    assert.deepEqual(types(made), ['aggregation_started', 'aggregation_timed_out', 'reactions_settled']);
  });

  it('times out what waits without a timeout, when nothing is on its way', () => {
    const slow = aggregator('slow', two);
    const more = subscription('more', { type: 'task_completed' }, emits('One'), 1);
    const ledger = new Ledger().accepted({ subscriptions: [more], aggregators: [slow] }, [task('a')]);
    ledger.planned([task('a')]).completed('a');
    const made = fold(ledger.facts);
    assert.deepEqual(types(made), ['aggregation_started', 'event_emitted', 'reactions_settled']);
    ledger.emitted('Unrelated');
    assert.deepEqual(only(fold(ledger.facts), 'aggregation_timed_out'), [], 'One may still come');
    settled(ledger);
    const ends = ledger.facts.filter(({ event_type }) => event_type === 'aggregation_timed_out');
    assert.equal(ends.length, 1);
    assert.deepEqual(ledger.facts.at(-1)?.event_type, 'reactions_settled');
  });

  it('does not come while a plan is made, or a failure is dealt with', () => {
    const slow = aggregator('slow', two);
    const planning = task('plan', { kind: 'plan' });
    const ledger = new Ledger()
      .accepted({ aggregators: [slow] }, [], 'replan')
      .planned([task('a')])
      .failed('a');
    assert.deepEqual(types(fold(ledger.facts)), ['aggregation_started']);
    ledger.planned([planning], 'replanning').completed('plan');
    assert.deepEqual(types(fold(ledger.facts)), ['aggregation_started']);
    ledger.planned([task('b')], 'orchestrator').completed('b');
    assert.deepEqual(types(fold(ledger.facts)), [
      'aggregation_started',
      'aggregation_timed_out',
      'reactions_settled',
    ]);
  });

  it('is nobody’s business where nothing reacts', () => {
    const ledger = new Ledger()
      .accepted({}, [task('a')])
      .planned([task('a')])
      .completed('a');
    assert.deepEqual(fold(ledger.facts), { state: null, reports: [], missions: [] });
  });
});
