import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import picocolors from 'picocolors';
import type { FactEvent, FactType } from '#orchestrator/facts.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { birthOf, familyOf } from './family.ts';
import { mermaidText } from './mermaid-text.ts';
import { timelineOf } from './timeline.ts';
import { timelineFlow, timelineSequence } from './timeline-mermaid.ts';
import { missionLines, offset, shownMoments, timelineTable, timelineTree } from './timeline-view.ts';

const plain = picocolors.createColors(false);
const start = 1_790_000_000_000;

/** The ledger of one mission; facts are numbered as they are added. */
class Ledger {
  readonly facts: FactEvent[] = [];
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  add<T extends FactType>(
    event_type: T,
    payload: Partial<PayloadOf<T>>,
    about: { at: number; cause: string; from?: string; to?: string },
  ): string {
    const sequence = this.facts.length + 1;
    const event_id = `${this.id}:${sequence}`;
    const { at, cause, from = 'orchestrator', to = 'squad' } = about;
    const envelope = { version: 1, correlation_id: this.id, priority: 'normal', previous_hash: '' };
    const who = { source_agent: from, target_agent: to, causation_id: cause, timestamp: start + at };
    const event = { ...envelope, ...who, event_id, event_type, sequence, payload };
    this.facts.push(event as unknown as FactEvent);
    return event_id;
  }

  accepted(at: number, cause: string, more: Partial<PayloadOf<'mission_accepted'>> = {}): string {
    const payload = { name: `mission ${this.id}`, brief: '', tasks: [], parent: null, ...more };
    return this.add('mission_accepted', payload, { at, cause, to: 'person' });
  }
}

const lease = { task_id: 'api', attempt: 1, lease: 1, agent: 'a1' };
const said = { ...lease, step: 2 };

/** A task emits an event, to which a task, a mission of its own and an aggregator react. */
function story() {
  const main = new Ledger('main');
  main.accepted(0, 'command-1');
  main.add('plan_created', { tasks: [], waves: 1, made_by: '' }, { at: 0, cause: 'command-1' });
  main.add('task_assigned', lease, { at: 0, cause: 'command-1', to: 'architect' });
  const by = { from: 'architect', to: 'orchestrator' };
  main.add('task_started', lease, { at: 10, cause: 'main/api/1/1/task_started', ...by });
  const emitted = main.add(
    'event_emitted',
    { ...said, name: 'ApiDesigned', subscription: '', trigger: '' },
    { at: 1_234, cause: 'main/api/1/2', from: 'architect' },
  );
  main.add(
    'task_requested',
    { task: taskSpec({ id: 'ui', role: 'frontend' }), subscription: 'draw', trigger: emitted, reason: '' },
    { at: 1_300, cause: `${emitted}/draw`, from: 'correlator', to: 'orchestrator' },
  );
  main.add(
    'task_assigned',
    { ...lease, task_id: 'ui' },
    { at: 1_300, cause: `${emitted}/draw`, to: 'frontend' },
  );
  main.add(
    'aggregation_completed',
    { aggregation: 'both', received: ['ApiDesigned'], missing: [], events: [emitted] },
    { at: 1_310, cause: `${emitted}/both/end`, from: 'correlator' },
  );
  main.add(
    'task_completed',
    { ...lease, result: '' },
    { at: 2_000, cause: 'main/api/1/1/task_completed', ...by },
  );
  const standing = new Ledger('standing');
  standing.accepted(1_290, 'some-id', {
    tasks: [taskSpec({ id: 'audit', role: 'auditor', caused_by: emitted })],
  });
  standing.add('mission_completed', { tasks: 1, duration_ms: 5, missing: [] }, { at: 1_900, cause: 'x' });
  const child = new Ledger('main:ui:1');
  child.accepted(1_300, 'main:7/mission', {
    parent: { mission_id: 'main', task_id: 'ui', attempt: 1, lease: 1 },
  });
  const end = child.add(
    'mission_completed',
    { tasks: 1, duration_ms: 5, missing: [] },
    { at: 2_500, cause: 'y' },
  );
  main.add(
    'task_completed',
    { ...lease, task_id: 'ui', result: '' },
    { at: 2_510, cause: `${end}/report`, to: 'orchestrator' },
  );
  return { main, standing, child };
}

const all = () => {
  const { main, standing, child } = story();
  return timelineOf([...main.facts, ...standing.facts, ...child.facts]);
};
/** Event by event what led to it, and how. */
const causes = ({ moments }: ReturnType<typeof timelineOf>) =>
  Object.fromEntries(
    moments.map(({ fact, cause }) => [
      fact.event_id,
      cause.kind === 'fact' ? `${cause.link} ${cause.event_id}` : `${cause.kind} ${cause.input}`,
    ]),
  );

describe('what led to a fact', () => {
  it('is found in causation, triggers, leases and missions', () => {
    assert.deepEqual(causes(all()), {
      'main:1': 'person command-1',
      'main:2': 'decided main:1',
      'main:3': 'decided main:1',
      'main:4': 'reported main:3',
      'main:5': 'reported main:3',
      'standing:1': 'reacts main:5',
      'main:6': 'reacts main:5',
      'main:7': 'decided main:6',
      'main:ui:1:1': 'mission main:7',
      'main:8': 'reacts main:5',
      'standing:2': 'report x',
      'main:9': 'reported main:3',
      'main:ui:1:2': 'report y',
      'main:10': 'mission main:ui:1:2',
    });
  });

  it('of answers, times and retries is what they belong to', () => {
    const ledger = new Ledger('m');
    const mission = ledger.accepted(0, 'c');
    const assigned = ledger.add('task_assigned', lease, { at: 0, cause: 'c' });
    const asked = ledger.add('review_requested', { ...said, review_id: 'r1' }, { at: 1, cause: 'q' });
    ledger.add('review_completed', { review_id: 'r1', task_id: 'api' }, { at: 2, cause: 'command-2' });
    const failed = ledger.add('task_attempt_failed', lease, { at: 3, cause: 'f' });
    const none = { task_id: '', attempt: 0, lease: 0, review_id: '', aggregation: '', due_at: 0 };
    const timer = (timer: string, more: object, cause: string) =>
      ledger.add('timer_fired', { ...none, timer, ...more }, { at: 4, cause });
    timer('retry', { task_id: 'api', attempt: 1, lease: 1 }, 't1');
    timer('lease', { task_id: 'api', attempt: 1, lease: 1 }, 't2');
    timer('review', { review_id: 'r1' }, 't3');
    timer('deadline', {}, 't4');
    const waits = ledger.add(
      'aggregation_started',
      { aggregation: 'j', trigger: mission },
      { at: 5, cause: 'j' },
    );
    timer('aggregation', { aggregation: 'j' }, 't5');
    timer('aggregation', { aggregation: 'unknown' }, 't6');
    const nobody = { task_id: '', attempt: 0, lease: 0, step: 0, trigger: '' };
    ledger.add(
      'event_emitted',
      { ...nobody, name: 'x', subscription: '' },
      { at: 6, cause: 'e', from: 'ann' },
    );
    const lost = { ...nobody, task_id: 'lost', attempt: 1, lease: 1 };
    ledger.add('event_emitted', { ...lost, name: 'x', subscription: '' }, { at: 6, cause: 'm/lost/1/2' });
    assert.deepEqual(
      timelineOf(ledger.facts).moments.map(({ cause }) =>
        cause.kind === 'fact' ? [cause.link, cause.event_id] : [cause.kind],
      ),
      [
        ['person'],
        ['decided', mission],
        ['reported', assigned],
        ['answers', asked],
        ['reported', assigned],
        ['timer', failed],
        ['timer', assigned],
        ['timer', asked],
        ['timer', mission],
        ['reacts', mission],
        ['timer', waits],
        ['time'],
        ['person'],
        ['report'],
      ],
    );
  });

  it('that was not read is named', () => {
    const { main } = story();
    const { moments } = timelineOf(main.facts.slice(5));
    assert.deepEqual(
      [moments[0]?.cause, moments[0]?.by],
      [{ kind: 'fact', event_id: 'main:5', link: 'reacts' }, null],
    );
    assert.match(timelineTable(timelineOf(main.facts.slice(5)), moments)[1] ?? '', /reacts to main:5$/);
  });
});

describe('the order of a timeline', () => {
  it('is by time, each mission in its own order, and nothing before what led to it', () => {
    const { main, standing, child } = story();
    // Another machine, whose clock is behind.
    const early = child.facts.map((fact) => ({ ...fact, timestamp: fact.timestamp - 60_000 }));
    const ids = timelineOf([...early, ...standing.facts, ...main.facts]).moments.map(
      ({ fact }) => fact.event_id,
    );
    assert.ok(ids.indexOf('main:7') < ids.indexOf('main:ui:1:1'));
    assert.ok(ids.indexOf('main:ui:1:2') < ids.indexOf('main:10'));
    assert.equal(ids[0], 'main:1');
    assert.equal(ids.length, 14);
  });

  it('property: whatever the clocks say, every fact is there once, in the order of its mission', () => {
    const { main, standing, child } = story();
    const facts = [...main.facts, ...standing.facts, ...child.facts];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 14, maxLength: 14 }), (times) => {
        const skewed = facts.map((fact, at) => ({ ...fact, timestamp: start + (times[at] ?? 0) }));
        const { moments } = timelineOf(skewed);
        assert.equal(new Set(moments.map(({ fact }) => fact.event_id)).size, 14);
        const seen = new Set<string>();
        for (const { fact, by } of moments) {
          if (fact.sequence > 1) assert.ok(seen.has(`${fact.correlation_id}:${fact.sequence - 1}`));
          if (by !== null) assert.ok(seen.has(by.event_id), `${fact.event_id} after ${by.event_id}`);
          seen.add(fact.event_id);
        }
      }),
    );
  });

  it('has an end also where facts are forged to lead to each other', () => {
    const ledger = new Ledger('m');
    const error = { code: 'x', message: '' };
    ledger.add('error_raised', { ...error, trigger: 'm:2' }, { at: 0, cause: 'a' });
    ledger.add('error_raised', { ...error, trigger: 'm:1' }, { at: 1, cause: 'b' });
    const timeline = timelineOf(ledger.facts);
    assert.equal(timeline.moments.length, 2);
    assert.equal(timelineTree(timeline, timeline.moments, plain).length, 2);
    assert.equal(timelineTree(timeline, timeline.moments.slice(1), plain).length, 1);
    timelineFlow(timeline, timeline.moments);
  });
});

describe('the family of a mission', () => {
  const births = () => {
    const { main, standing, child } = story();
    return [child, main, standing].map(({ facts }) => birthOf(facts[0] as EventOf<'mission_accepted'>));
  };

  it('is what comes from it, and what it comes from', () => {
    assert.deepEqual(familyOf('main', births()), {
      above: new Set(),
      within: new Set(['main', 'main:ui:1', 'standing']),
    });
    assert.deepEqual(familyOf('standing', births()), {
      above: new Set(['main']),
      within: new Set(['standing']),
    });
    assert.deepEqual(familyOf('unknown', births()).within, new Set(['unknown']));
  });

  it('above a mission shows only what led to it, and what its end led to', () => {
    const { main, child } = story();
    const { moments, missions } = timelineOf([...main.facts, ...child.facts], new Set(['main']));
    assert.deepEqual(
      moments.map(({ fact }) => fact.event_id),
      ['main:1', 'main:3', 'main:5', 'main:6', 'main:7', 'main:ui:1:1', 'main:ui:1:2', 'main:10'],
    );
    assert.deepEqual(
      missions.map(({ id, above }) => [id, above]),
      [
        ['main', true],
        ['main:ui:1', false],
      ],
    );
  });
});

describe('a timeline for people', () => {
  it('is a table with who, whom, what and what caused it', () => {
    const timeline = all();
    const lines = timelineTable(timeline, timeline.moments);
    assert.deepEqual(lines.slice(0, 9), [
      'TIME    FACT   WHO → WHOM                   EVENT                  WHAT                      CAUSED BY',
      '+0.000  m1#1   orchestrator → person        mission_accepted       mission main              a person',
      '+0.000  m1#2   orchestrator → squad         plan_created           0 tasks in 1 wave         m1#1 mission_accepted',
      '+0.000  m1#3   orchestrator → architect     task_assigned          api                       m1#1 mission_accepted',
      '+0.010  m1#4   architect → orchestrator     task_started           api                       m1#3 task_assigned',
      '+1.234  m1#5   architect → squad            event_emitted          ApiDesigned, by api       m1#3 task_assigned',
      '+1.290  m2#1   orchestrator → person        mission_accepted       mission standing          reacts to m1#5 event_emitted',
      '+1.300  m1#6   correlator → orchestrator    task_requested         ui for frontend, by draw  reacts to m1#5 event_emitted',
      '+1.300  m1#7   orchestrator → frontend      task_assigned          ui                        m1#6 task_requested',
    ]);
    for (const line of timelineTable(timeline, timeline.moments, 60)) assert.ok(line.length <= 60);
  });

  it('names its missions in the order in which they began, wherever they were read first', () => {
    const { main, standing, child } = story();
    const { missions } = timelineOf([...child.facts, ...standing.facts, ...main.facts]);
    assert.deepEqual(
      missions.map(({ id }) => id),
      ['main', 'standing', 'main:ui:1'],
    );
  });

  it('names its missions, how they stand, and what began them', () => {
    assert.deepEqual(missionLines(all(), plain), [
      'm1  mission main  main  running',
      'm2  mission standing  standing  completed  a reaction to m1#5 ApiDesigned, by api',
      'm3  mission main:ui:1  main:ui:1  completed  a task of m1#7 ui',
    ]);
    const { main } = story();
    assert.deepEqual(missionLines(timelineOf(main.facts), plain), ['mission main  main  running']);
  });

  it('is a tree in which a chain goes straight down', () => {
    const timeline = all();
    assert.deepEqual(timelineTree(timeline, timeline.moments, plain), [
      'm1#1 mission_accepted mission main  orchestrator → person  +0.000',
      '├─ m1#2 plan_created 0 tasks in 1 wave  orchestrator → squad  +0.000',
      '└─ m1#3 task_assigned api  orchestrator → architect  +0.000',
      '   ├─ m1#4 task_started api  architect → orchestrator  +0.010',
      '   ├─ m1#5 event_emitted ApiDesigned, by api  architect → squad  +1.234',
      '   │  ├─ m2#1 mission_accepted mission standing  orchestrator → person  +1.290',
      '   │  ├─ m1#6 task_requested ui for frontend, by draw  correlator → orchestrator  +1.300',
      '   │  │  │ m1#7 task_assigned ui  orchestrator → frontend  +1.300',
      '   │  │  │ m3#1 mission_accepted mission main:ui:1  orchestrator → person  +1.300',
      '   │  └─ m1#8 aggregation_completed both: 1 of 1  correlator → squad  +1.310',
      '   └─ m1#9 task_completed api  architect → orchestrator  +2.000',
      'm2#2 mission_completed 1 task in 5 ms  orchestrator → squad  +1.900',
      'm3#2 mission_completed 1 task in 5 ms  orchestrator → squad  +2.500',
      '│ m1#10 task_completed ui  orchestrator → orchestrator  +2.510',
    ]);
  });

  it('shows only some types, or what is new, and leads over what it does not show', () => {
    const timeline = all();
    const types = shownMoments(timeline, {
      since: null,
      types: ['task_*', 'ApiDesigned', 'mission_accepted'],
    });
    assert.deepEqual([...new Set(types.map(({ fact }) => fact.event_type))].sort(), [
      'event_emitted',
      'mission_accepted',
      'task_assigned',
      'task_completed',
      'task_requested',
      'task_started',
    ]);
    const since = shownMoments(timeline, { since: start + 2_000, types: [] });
    assert.deepEqual(
      since.map(({ fact }) => fact.event_id),
      ['main:9', 'main:ui:1:2', 'main:10'],
    );
    const few = shownMoments(timeline, { since: null, types: ['mission_accepted'] });
    assert.deepEqual(timelineTree(timeline, few, plain), [
      'm1#1 mission_accepted mission main  orchestrator → person  +0.000',
      '├─ m2#1 mission_accepted mission standing  orchestrator → person  +1.290',
      '└─ m3#1 mission_accepted mission main:ui:1  orchestrator → person  +1.300',
    ]);
  });

  it('tells times in seconds, and long ones as a clock does', () => {
    assert.deepEqual([0, 12, 61_234, 3_723_456, -5].map(offset), [
      '+0.000',
      '+0.012',
      '+61.234',
      '+1:02:03.456',
      '-0.005',
    ]);
  });

  it('takes a chain of 20,000 facts', () => {
    const ledger = new Ledger('long');
    ledger.accepted(0, 'c');
    for (let at = 1; at < 20_000; at++) {
      ledger.add('error_raised', { code: 'x', message: '', trigger: `long:${at}` }, { at, cause: `c${at}` });
    }
    const timeline = timelineOf(ledger.facts);
    const lines = timelineTree(timeline, timeline.moments, plain);
    assert.equal(lines.length, 20_000);
    assert.ok((lines.at(-1) ?? '').startsWith('│ #20000'));
    assert.equal(shownMoments(timeline, { since: start + 19_999, types: [] }).length, 1);
    const ends = timeline.moments.slice(-1000);
    assert.equal(
      timelineFlow(timeline, ends)
        .split('\n')
        .filter((line) => line.includes('-.->')).length,
      999,
    );
  });
});

describe('a timeline as a drawing', () => {
  const text = String.raw`(?:[\p{L}\p{M}\p{N} ,_-]|#\d+;|<br\/>)`;
  const sequenceLine = new RegExp(
    String.raw`^(?:sequenceDiagram| {2}participant p\d+ as ${text}+| {2}p\d+(?:->>|-->>)p\d+: ${text}+|)$`,
    'u',
  );
  const flowLine = new RegExp(
    String.raw`^(?:flowchart TD| {2}subgraph mission\d+\["${text}+"\]| {4}f\d+\["${text}+"\]| {2}end| {2}f\d+ (?:-->|-\.->) f\d+|)$`,
    'u',
  );

  it('says who told whom what, and what it reacts to', () => {
    const timeline = all();
    const lines = timelineSequence(timeline, timeline.moments.slice(3, 7)).split('\n');
    assert.deepEqual(lines, [
      'sequenceDiagram',
      '  participant p0 as architect',
      '  participant p1 as orchestrator',
      '  participant p2 as squad',
      '  participant p3 as person',
      '  participant p4 as correlator',
      `  p0->>p1: ${mermaidText('m1#4 task_started')}<br/>api<br/>${mermaidText('+0.010')}`,
      `  p0->>p2: ${mermaidText('m1#5 event_emitted')}<br/>ApiDesigned, by api<br/>${mermaidText('+1.234')}`,
      `  p1-->>p3: ${mermaidText('m2#1 mission_accepted')}<br/>mission standing<br/>${mermaidText('reacts to m1#5')}<br/>${mermaidText('+1.290')}`,
      `  p4-->>p1: ${mermaidText('m1#6 task_requested')}<br/>ui for frontend, by draw<br/>${mermaidText('reacts to m1#5')}<br/>${mermaidText('+1.300')}`,
      '',
    ]);
  });

  it('says what led to what, a box around each mission', () => {
    const timeline = all();
    const drawn = timelineFlow(timeline, timeline.moments);
    assert.equal(drawn.match(/subgraph/g)?.length, 3);
    assert.equal(drawn.match(/-->/g)?.length, 8);
    assert.equal(drawn.match(/-\.->/g)?.length, 3);
    for (const line of drawn.split('\n')) assert.match(line, flowLine);
  });

  it('property: takes any text for a label and for nothing else', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc
        .array(
          fc.constantFrom(
            ...[
              '"]',
              'end',
              '\n',
              '%%{init: {}}%%',
              '#quot;',
              ';',
              '->>',
              'Note over p0: x',
              '<script>',
              ':',
            ],
            ...[
              'subgraph',
              'participant x',
              'loop',
              '\u2028',
              '\u202e',
              '\ud800',
              '🐦',
              '&lt;',
              '@{',
              '\\',
              '`',
            ],
          ),
        )
        .map((parts) => parts.join(' ')),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, (name, from, to) => {
        const ledger = new Ledger('m');
        const first = ledger.accepted(0, 'c', { name });
        ledger.add(
          'event_emitted',
          { ...said, name, subscription: '', trigger: first },
          { at: 1, cause: 'd', from, to },
        );
        const timeline = timelineOf(ledger.facts);
        for (const line of timelineSequence(timeline, timeline.moments).split('\n')) {
          assert.match(line, sequenceLine);
        }
        const flow = timelineFlow(timeline, timeline.moments).split('\n');
        for (const line of flow) assert.match(line, flowLine);
        assert.equal(flow.length, 7);
      }),
    );
  });
});
