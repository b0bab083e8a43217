import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missionCommand, noOptions } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type {
  Aggregator,
  Emission,
  EventPattern,
  MissionCommand,
  MissionOptions,
  Reaction,
  Subscription,
  TaskTemplate,
} from '#schemas/types.gen.ts';
import { decide } from './decide.ts';
import { inputOf } from './intake.ts';
import { resolveOptions } from './options.ts';
import { newestRules } from './rules.ts';
import { start } from './scenario.ts';

const pattern = (more: Partial<EventPattern> = {}): EventPattern => ({
  ...{ name: '', type: 'asked', source: '', target: '', severity: '', topic: '', where: [] },
  ...more,
});
const template = (more: Partial<TaskTemplate> = {}): TaskTemplate => ({
  ...{ id: '', role: '', routes: [], description: 'do it', script: null },
  ...{ timeout_ms: 0, max_attempts: 0, priority: '', model: '' },
  ...more,
});
const event = (more: Partial<Emission> = {}): Emission => ({
  ...{ name: 'Done', topic: '', severity: '', data: '' },
  ...more,
});
const reaction = (more: Partial<Reaction> = {}): Reaction => ({
  ...{ action: 'task', task: template(), emit: null, reason: '' },
  ...more,
});
const sub = (more: Partial<Subscription> = {}): Subscription => ({
  ...{ name: 'review', role: 'a_role', on: pattern(), reaction: reaction(), most: 0 },
  ...more,
});
const join = (more: Partial<Aggregator> = {}): Aggregator => ({
  ...{ name: 'all', events: [pattern()], timeout_ms: 0, on_complete: null, on_timeout: null },
  ...more,
});
const where = (op: string, value: string, path = 'payload.code') => ({ path, op, value });
const emits = (emit: Emission | null) => reaction({ action: 'emit', task: null, emit });

describe('what a mission says of reactions', () => {
  it('is taken when it is good', () => {
    const good: Partial<MissionOptions> = {
      subscriptions: [
        sub({ on: pattern({ severity: 'error', where: [where('in', '["a"]'), where('exists', '')] }) }),
        sub({
          name: 'x.y',
          role: '',
          reaction: emits(event({ name: '{{payload.name}}', data: '{"x":{{data}}}' })),
        }),
        sub({ name: 'z', reaction: reaction({ action: 'pause', task: null }) }),
        sub({
          name: 'id',
          reaction: reaction({ task: template({ id: 'story-{{data.id}}', priority: 'high' }) }),
        }),
      ],
      aggregators: [
        join({ timeout_ms: 30_000, on_timeout: emits(event({ data: '[1]', severity: 'warning' })) }),
      ],
      events: [event()],
      max_hops: 64,
    };
    const resolved = resolveOptions({ ...noOptions, ...good });
    assert.equal(resolved.subscriptions.length, 4);
  });

  const bad: [string, Partial<MissionOptions>, RegExp][] = [
    [
      'a name',
      { subscriptions: [sub({ name: 'a b' })] },
      /options\.subscriptions\[0\]\.name: found "a b", expected/,
    ],
    ['no name', { aggregators: [join({ name: '' })] }, /options\.aggregators\[0\]\.name: found ""/],
    [
      'a name twice',
      { subscriptions: [sub({ name: 'all' })], aggregators: [join()] },
      /aggregators\[0\]\.name: found "all", expected another name than that of options\.subscriptions\[0\]/,
    ],
    [
      'a severity',
      { subscriptions: [sub({ on: pattern({ severity: 'bad' }) })] },
      /\.on\.severity: found "bad"/,
    ],
    [
      'an op',
      { subscriptions: [sub({ on: pattern({ where: [where('like', '1')] }) })] },
      /where\[0\]\.op: found "like"/,
    ],
    [
      'a value',
      { subscriptions: [sub({ on: pattern({ where: [where('eq', 'x')] }) })] },
      /where\[0\]\.value: .* JSON/,
    ],
    ['no array', { subscriptions: [sub({ on: pattern({ where: [where('in', '1')] }) })] }, /a JSON array/],
    [
      'no pattern',
      { subscriptions: [sub({ on: pattern({ where: [where('matches', '1')] }) })] },
      /a pattern/,
    ],
    [
      'no path',
      { subscriptions: [sub({ on: pattern({ where: [where('eq', '1', '')] }) })] },
      /where\[0\]\.path/,
    ],
    [
      'an action',
      { subscriptions: [sub({ reaction: reaction({ action: 'jump' }) })] },
      /\.reaction\.action: found "jump"/,
    ],
    [
      'no task',
      { subscriptions: [sub({ reaction: reaction({ task: null }) })] },
      /\.reaction\.task: found null/,
    ],
    ['no event', { subscriptions: [sub({ reaction: emits(null) })] }, /\.reaction\.emit: found null/],
    [
      'an event',
      { aggregators: [join({ on_complete: emits(event({ name: '' })) })] },
      /on_complete\.emit\.name/,
    ],
    ['its data', { events: [event({ data: '{' })] }, /options\.events\[0\]\.data: found "{", expected JSON/],
    ['its severity', { events: [event({ severity: 'x' })] }, /events\[0\]\.severity/],
    [
      'an id of plans',
      { subscriptions: [sub({ reaction: reaction({ task: template({ id: 'plan' }) }) })] },
      /task\.id/,
    ],
    ['no role', { aggregators: [join({ on_timeout: reaction() })] }, /on_timeout\.task\.role: found ""/],
    [
      'a priority',
      { subscriptions: [sub({ reaction: reaction({ task: template({ priority: 'x' }) }) })] },
      /priority/,
    ],
    [
      'a timeout',
      { subscriptions: [sub({ reaction: reaction({ task: template({ timeout_ms: 1 }) }) })] },
      /timeout_ms/,
    ],
    [
      'no events',
      { aggregators: [join({ events: [] })] },
      /aggregators\[0\]\.events: found 0, expected from 1/,
    ],
    ['a time', { aggregators: [join({ timeout_ms: -1 })] }, /aggregators\[0\]\.timeout_ms: found -1/],
    ['times', { subscriptions: [sub({ most: -1 })] }, /subscriptions\[0\]\.most: found -1/],
    ['hops', { max_hops: 65 }, /options\.max_hops: found 65, expected a whole number from 1 to 64/],
    [
      'too many',
      { subscriptions: Array.from({ length: 65 }, (_, at) => sub({ name: `s${at}` })) },
      /options\.subscriptions: found 65, expected at most 64/,
    ],
    [
      'too much',
      {
        subscriptions: [sub({ reaction: reaction({ task: template({ description: 'x'.repeat(66_000) }) }) })],
      },
      /expected at most 65536 bytes/,
    ],
  ];
  for (const [what, options, message] of bad) {
    it(`is refused with ${what}, and says where`, () => {
      assert.throws(() => resolveOptions({ ...noOptions, ...options }), { code: 'invalid_mission', message });
    });
  }
});

describe('a mission that reacts, as it is submitted', () => {
  const roles = new Set(['a_role', 'b_role', 'orchestrator']);
  const submitted = (more: Partial<MissionCommand>, options: Partial<MissionOptions> = {}) => {
    const command = missionCommand({ ...more, options: { ...noOptions, ...options } });
    return inputOf({ mission_id: 'm', event_id: 'e', command }, '', roles, newestRules);
  };
  const tasks = [taskSpec({ id: 'a', role: 'a_role' })];

  it('has no planner when it has no tasks, unless it asks for one', () => {
    const planner = (input: ReturnType<typeof submitted>) =>
      input.kind === 'submit' ? input.policy.options.planner : input.kind;
    assert.equal(planner(submitted({}, { subscriptions: [sub()] })), 'none');
    assert.equal(planner(submitted({ brief: 'what it is for' }, { subscriptions: [sub()] })), 'none');
    assert.equal(
      planner(submitted({ brief: 'plan this' }, { subscriptions: [sub()], planner: 'auto' })),
      'auto',
    );
    assert.equal(planner(submitted({ tasks }, { subscriptions: [sub()] })), 'auto');
    assert.equal(planner(submitted({ brief: 'plan this' })), 'auto');
    assert.equal(planner(submitted({})), 'refuse');
    const input = submitted({ brief: '' }, { planner: 'none' });
    const decision = decide(null, input, { now: start });
    assert.equal(decision.kind === 'facts' && decision.facts[0]?.event_type, 'mission_rejected');
  });

  it('names only roles that have a topic', () => {
    const route = { when: [], role: 'c_role' };
    const cases: [Partial<MissionOptions>, RegExp][] = [
      [
        { subscriptions: [sub({ role: 'c_role' })] },
        /subscriptions\[0\]\.reaction\.task\.role: found "c_role"/,
      ],
      [
        { subscriptions: [sub({ reaction: reaction({ task: template({ routes: [route] }) }) })] },
        /subscriptions\[0\]\.reaction\.task\.routes\[0\]\.role/,
      ],
      [
        { aggregators: [join({ on_timeout: reaction({ task: template({ role: 'c_role' }) }) })] },
        /aggregators\[0\]\.on_timeout\.task\.role/,
      ],
    ];
    for (const [options, message] of cases) {
      const input = submitted({ tasks }, options);
      assert.ok(input.kind === 'refuse');
      assert.equal(input.code, 'role_unknown');
      assert.match(input.message, message);
    }
    assert.equal(
      submitted({ tasks }, { subscriptions: [sub({ role: 'who', reaction: emits(event()) })] }).kind,
      'submit',
    );
  });

  it('knows the roles that there are, for hand-overs and reactions', () => {
    const input = submitted({ tasks });
    assert.deepEqual(input.kind === 'submit' && input.roles, ['a_role', 'b_role']);
  });

  it('takes an event of a person only when it is one', () => {
    const said = (emission: Emission | null) => () =>
      inputOf(
        {
          mission_id: 'm',
          event_id: 'e',
          command: missionCommand({
            event_type: 'event_emitted',
            source_agent: 'person:ann',
            event: emission,
          }),
        },
        '',
        roles,
        newestRules,
      );
    assert.deepEqual(said(event())(), { kind: 'emit', emission: event(), by: 'person:ann' });
    assert.throws(said(null), { code: 'invalid_payload' });
    assert.throws(said(event({ severity: 'x' })), { code: 'invalid_payload', message: /event\.severity/ });
  });
});
