/** What the topics say of one mission has to fit together: each way in which it does not is told from the truth. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Checker } from './checker.ts';
import { Violations } from './violations.ts';
import type { Payload, Wired } from './wire.ts';

const topics = {
  missions: 'p.missions',
  reports: 'p.reports',
  coordination: 'p.coordination',
  steps: 'p.steps',
  status: 'p.status',
  dlq: 'p.dlq',
  tasks: ['p.tasks.r'],
  states: ['p.orchestrator.state', 'p.worker-r.state'],
};

interface Entry {
  readonly topic: string;
  readonly key: string;
  readonly event: Wired | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}
type Story = Readonly<Record<string, Entry>>;

const bytesOf = (what: unknown): Buffer => Buffer.from(`.....${JSON.stringify(what)}`);
const hashOf = ({ value }: Entry): string =>
  createHash('sha256')
    .update((value ?? Buffer.alloc(0)).subarray(5))
    .digest('hex');

function entry(topic: string, type: string, payload: Payload, more: Partial<Wired> = {}): Entry {
  const event = {
    schema: '',
    event_id: '',
    event_type: type,
    source_agent: 'r',
    correlation_id: 'm',
    causation_id: '',
    timestamp: 100,
    sequence: 0,
    previous_hash: '',
    payload,
    fields: { payload },
    ...more,
  };
  return { topic, key: 'm', event, value: bytesOf(event) };
}

const [commandId, claimId, endId] = ['m:command', 'm/a/1/1/task_started', 'm/a/1/1/task_completed'];
const a = { task_id: 'a', attempt: 1, lease: 1 };
const byAgent = { ...a, agent: 'w:1' };

function step(n: number, previous: Entry | null): Entry {
  const type = n % 2 === 1 ? 'tool_call_started' : 'tool_call_ended';
  const previous_hash = previous === null ? '' : hashOf(previous);
  return entry(
    topics.steps,
    type,
    { ...byAgent, step: 2 },
    { event_id: `m/a/1/1/${n}`, sequence: n, previous_hash },
  );
}
const step1 = step(1, null);
const step2 = step(2, step1);

/** The ledger of the mission, one fact after the other. */
const facts: readonly (readonly [type: string, payload: Payload, cause: string])[] = [
  ['mission_accepted', {}, commandId],
  ['plan_created', { tasks: [{ id: 'a', needs: [] }] }, commandId],
  ['task_assigned', a, commandId],
  ['task_started', byAgent, claimId],
  ['task_completed', { ...byAgent, journal_hash: hashOf(step2) }, endId],
  ['mission_completed', {}, endId],
];
const ledger: Entry[] = [];
for (const [type, payload, causation_id] of facts) {
  const previous = ledger.at(-1);
  const previous_hash = previous === undefined ? '' : hashOf(previous);
  const sequence = ledger.length + 1;
  const place = { event_id: `m:${sequence}`, sequence, previous_hash, causation_id };
  ledger.push(entry(topics.coordination, type, payload, place));
}
const fact = (n: number): Entry => ledger[n - 1] ?? entry('', '', {});

const stateTopic = 'p.orchestrator.state';
function state(sequence: number, fields: Payload): Entry {
  const whole = { sequence, head_hash: hashOf(fact(sequence)), ...fields };
  const made = entry(stateTopic, '', {}, { fields: whole });
  return { ...made, key: 'mission/m' };
}
const positions = (of: Payload, topic = stateTopic): Entry => ({
  topic,
  key: '@positions',
  event: null,
  value: Buffer.from(JSON.stringify(of)),
});
const assignedState = { status: 'running', tasks: [{ status: 'assigned', attempt: 1, lease: 1 }] };
const runningState = { status: 'running', tasks: [{ status: 'running', attempt: 1, lease: 1 }] };

const truth: Story = {
  fact1: fact(1),
  fact2: fact(2),
  fact3: fact(3),
  state3: state(3, assignedState),
  plan: { ...entry(stateTopic, '', {}, { fields: { tasks: [{ id: 'a' }] } }), key: 'plan/m' },
  positions3: positions({ missions: 1 }),
  sent: { ...fact(3), topic: 'p.tasks.r', key: 'm/a' },
  claim: entry(topics.reports, 'task_started', byAgent, { event_id: claimId }),
  workerPositions: positions({ tasks: 1 }, 'p.worker-r.state'),
  fact4: fact(4),
  state4: state(4, runningState),
  positions4: positions({ missions: 1, reports: 1 }),
  step1,
  step2,
  heartbeat: entry(topics.reports, 'task_heartbeat', byAgent, { event_id: 'm/a/1/1/task_heartbeat:1' }),
  end: entry(topics.reports, 'task_completed', byAgent, { event_id: endId }),
  fact5: fact(5),
  fact6: fact(6),
  state6: state(6, { status: 'completed', tasks: [] }),
  noPlan: { topic: stateTopic, key: 'plan/m', event: null, value: null },
  positions6: positions({ missions: 1, reports: 3 }),
  status: entry(topics.status, 'mission_status', {}, { event_id: 'm:status:6' }),
};

/** What is found in these records, in this order. */
function judge(story: Story | readonly Entry[], submitted: readonly string[] = ['m']) {
  const violations = new Violations(() => {});
  const checker = new Checker({ brokers: '', registry: '', topics, violations });
  for (const { topic, key, event, value, headers = {} } of Object.values(story))
    checker.judge(
      { topic, partition: 0, offset: 0, key, value, headers, timestamp: 100, readAt: 100 },
      event,
    );
  for (const { kind, mission, what } of checker.findings(submitted)) violations.add(kind, mission, what);
  return {
    found: violations.all.map(({ kind, what }) => `${kind}: ${what}`),
    repeated: violations.repeated,
  };
}

/** These records, with others right behind the one of this name. */
function behind(name: string, ...more: readonly Entry[]): readonly Entry[] {
  return Object.entries(truth).flatMap(([each, found]) => (each === name ? [found, ...more] : [found]));
}
const twice = (...names: readonly string[]): readonly Entry[] =>
  Object.entries(truth).flatMap(([each, found]) => (names.includes(each) ? [found, found] : [found]));
const without = (...names: readonly string[]): readonly Entry[] =>
  Object.entries(truth).flatMap(([each, found]) => (names.includes(each) ? [] : [found]));
/** The record of this name, with something else in its event. */
function other(name: string, change: Partial<Wired>): Entry {
  const found = truth[name];
  if (!found?.event) throw new Error(`no event ${name}`);
  const event = { ...found.event, ...change };
  return { ...found, event, value: bytesOf(event) };
}
const replaced = (name: string, by: Entry): readonly Entry[] => Object.values({ ...truth, [name]: by });

test('the truth is left alone', () => assert.deepEqual(judge(truth), { found: [], repeated: 0 }));

test('topics are read on their own: what is written together may be read in any order', () => {
  const later = Object.values(truth).toSorted((one, two) => one.topic.localeCompare(two.topic));
  assert.deepEqual(judge(later), { found: [], repeated: 0 });
});

const dispatched = { ...entry(stateTopic, 'task_assigned', a), key: 'dispatch/m/a' };
const ofAgentB = { ...byAgent, agent: 'w:2' };
const letter = {
  ...entry(topics.dlq, '', {}),
  headers: { '__connect.errors.topic': 'p.missions', '__connect.errors.offset': '7' },
};
const reaction = entry(topics.reports, 'task_requested', {}, { event_id: 'reaction' });
const child = entry(topics.missions, 'mission_submitted', {}, {
  source_agent: 'orchestrator',
  event_id: 'child',
} as Partial<Wired>);

const lies: Readonly<Record<string, readonly [story: readonly Entry[], expected: RegExp]>> = {
  'a fact twice': [twice('fact4'), /^duplicated: fact 4 \(task_started\) twice/],
  'a fork': [behind('fact4', other('fact4', { timestamp: 101 })), /^duplicated: a fork: two facts 4/],
  'a fact missing': [without('fact4'), /^lost: facts 4 to 4/],
  'an input that is decided twice': [
    replaced('fact4', other('fact4', { causation_id: 'x' })).concat(
      other('fact4', { sequence: 7, causation_id: commandId }),
    ),
    /^duplicated: fact 7: m:command was decided before/,
  ],
  'an assignment twice': [twice('sent'), /^duplicated: assignment m:3 twice/],
  'an assignment that differs from its fact': [
    replaced('sent', other('sent', { timestamp: 101 })),
    /^wrong: assignment m:3 is not what the ledger says/,
  ],
  'an assignment that is not on the ledger': [
    behind('sent', other('sent', { event_id: 'm:9' })),
    /^wrong: assignment m:9 is not on the ledger/,
  ],
  'an assignment that was begun and never sent': [
    without('sent'),
    /^lost: assignment m:3 was begun and never/,
  ],
  'an assignment that was never sent and does not wait': [
    [truth['fact1'], truth['fact2'], truth['fact3'], truth['state3'], truth['plan']].filter((each) => !!each),
    /^lost: assignment m:3 was never sent, and does not wait/,
  ],
  'a mission below that was never begun': [
    replaced('fact3', other('fact3', { payload: { ...a, kind: 'mission' } })).filter(
      ({ topic }) => topic !== 'p.tasks.r',
    ),
    /^lost: assignment m:3 has begun no mission/,
  ],
  'a command of a service twice': [[child, child], /^duplicated: command child twice/],
  'a claim twice': [twice('claim'), /^duplicated: lease m\/a\/1\/1 was claimed twice, byte for byte/],
  'a lease that two agents have claimed': [
    behind('claim', other('claim', { payload: ofAgentB })),
    /^duplicated: lease m\/a\/1\/1 was claimed by w:1 and by w:2$/,
  ],
  'a report of a service twice': [[reaction, reaction], /^duplicated: report reaction#0 twice/],
  'two reports of one id': [
    behind('end', other('end', { timestamp: 101 })),
    /^duplicated: report m\/a\/1\/1\/task_completed#1 twice, with different bytes/,
  ],
  'a fact that nobody reported': [without('end'), /^wrong: task_completed is caused by .* which nobody/],
  'two steps of one id': [
    behind('step2', other('step2', { timestamp: 101 })),
    /^duplicated: step m\/a\/1\/1\/2 twice, with different bytes/,
  ],
  'two steps of one number': [
    behind('step2', other('step2', { event_id: 'x' })),
    /^duplicated: two steps m\/a\/1\/1\/2/,
  ],
  'a step missing': [without('step1'), /^lost: a step of a\/1: 1 from its end back/],
  'a journal missing': [without('step1', 'step2'), /^lost: a step of a\/1: 0 from its end back/],
  'a status twice': [twice('status'), /^duplicated: status m:status:6 twice/],
  'a dead letter twice': [[letter, letter], /^duplicated: dead letter of p.missions.* twice/],
  'a record of a changelog twice': [twice('state4'), /^duplicated: mission\/m twice in a transaction/],
  'a transaction of a changelog twice': [
    behind('positions4', ...without().slice(10, 12)),
    /^duplicated: a transaction twice: mission\/m/,
  ],
  'a position that goes back': [
    behind('workerPositions', positions({ tasks: 0 }, 'p.worker-r.state')),
    /^wrong: the position in tasks went from 1 to 0/,
  ],
  'a changelog that is ahead of the ledger': [
    without('fact5', 'fact6'),
    /^lost: changelog: 6 facts, and 4 on the ledger/,
  ],
  'a changelog that is behind the ledger': [
    without('state6'),
    /^wrong: changelog: 4 facts, and 6 on the ledger/,
  ],
  'a changelog of a mission that the ledger does not know': [
    [truth['state3'] ?? letter],
    /^lost: changelog: a mission of which nothing is on the ledger/,
  ],
  'a changelog of another history': [
    replaced('state4', state(4, { ...runningState, head_hash: 'x' })),
    /^wrong: changelog: another fact 4 than on the ledger/,
  ],
  'a changelog of another status': [
    replaced('state6', state(6, { status: 'failed', tasks: [] })),
    /^wrong: changelog: failed, and mission_completed on the ledger/,
  ],
  'a changelog of another state of a task': [
    replaced('state4', state(4, assignedState)),
    /^wrong: changelog: task a is assigned 1\/1, and running 1\/1 on the ledger/,
  ],
  'a changelog of more tasks than states': [
    replaced('state4', state(4, { status: 'running', tasks: [] })),
    /^wrong: changelog: 1 tasks and 0 states/,
  ],
};

for (const [name, [story, expected]] of Object.entries(lies)) {
  test(`${name} is found`, () => {
    const { found } = judge(story);
    assert.ok(
      found.some((each) => expected.test(each)),
      JSON.stringify(found, null, 2),
    );
  });
}

test('what was submitted and is not on the ledger is lost', () =>
  assert.deepEqual(judge(truth, ['m', 'n']).found, ['lost: submitted, and not on the ledger']));

test('a step or a report outside transactions that is there twice, byte for byte, is counted apart', () =>
  assert.deepEqual(judge(twice('end', 'heartbeat', 'step1', 'step2')), { found: [], repeated: 4 }));

test('what an agent says in a step may come from the next lease, too', () => {
  const said = (lease: number) =>
    entry(topics.reports, 'decision_recorded', { ...byAgent, lease }, { event_id: 'm/a/1/4' });
  assert.deepEqual(judge(behind('claim', said(1), said(2))), { found: [], repeated: 0 });
});

test('a record that was sent back after waiting is no repeat', () => {
  const again = (name: string): Entry => ({
    ...(truth[name] ?? letter),
    headers: { 'ravenhelm.attempts': '1' },
  });
  assert.deepEqual(judge(behind('claim', again('sent'), again('claim'))), { found: [], repeated: 0 });
});

test('an assignment may wait for room', () => {
  const { fact1, fact2, fact3, state3, plan, positions3 } = truth;
  const story = [fact1, fact2, fact3, state3, plan, dispatched, positions3].filter((each) => !!each);
  assert.deepEqual(judge(story).found, []);
  const sent = [...story, { topic: stateTopic, key: 'dispatch/m/a', event: null, value: null }];
  assert.match(judge(sent).found.join(), /^lost: assignment m:3 was never sent/);
});

test('a lease that nobody begins may be sent again, under an id of its own', () => {
  const again = other('sent', { event_id: 'm:3/again/1' });
  assert.deepEqual(judge(behind('sent', again)), { found: [], repeated: 0 });
  const ofAnother = other('sent', { event_id: 'm:3/again/1', payload: { ...a, lease: 2 } });
  assert.match(judge(behind('sent', ofAnother)).found.join(), /^wrong: assignment m:3\/again\/1 is not on/);
});
