import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type InsightEvent, Knowledge, MOST_INSIGHTS, topicMatcher } from './knowledge.ts';

let number = 0;
function insight(pattern: string, text: string, more: Partial<InsightEvent['payload']> = {}): InsightEvent {
  return {
    event_id: `e${++number}`,
    event_type: 'insight_shared',
    source_agent: 'cert_agent',
    target_agent: 'squad',
    timestamp: number,
    version: 1,
    correlation_id: 'm',
    causation_id: 'c',
    priority: 'normal',
    sequence: 0,
    previous_hash: '',
    payload: { pattern, insight: text, tags: [], expires_at: 0, ...more },
  };
}

function given(...events: readonly InsightEvent[]): Knowledge {
  const knowledge = new Knowledge();
  for (const event of events) knowledge.add(event);
  return knowledge;
}

const texts = (knowledge: Knowledge, pattern: string, words = '', now = 0, limit = 50) =>
  knowledge.find({ pattern, words, limit }, now).map(({ payload }) => payload.insight);

test('of each topic the newest counts, and the newest come first', () => {
  const knowledge = given(insight('a.b', 'old'), insight('a.c', 'other'), insight('a.b', 'new'));
  assert.deepEqual(texts(knowledge, '**'), ['new', 'other']);
  assert.deepEqual(texts(knowledge, '**', '', 0, 1), ['new']);
  knowledge.remove('a.b');
  assert.deepEqual(texts(knowledge, '**'), ['other']);
});

test('what has more of the words comes first, whatever their case and form', () => {
  const knowledge = given(
    insight('infra.tls', 'The CA key is an elliptic one'),
    insight('infra.cache', 'Valkey answers on 6379', { tags: ['Café'] }),
    insight('infra.tls.renewal', 'Renew certificates, the key stays'),
  );
  assert.deepEqual(texts(knowledge, '**', 'CA key!'), [
    'The CA key is an elliptic one',
    'Renew certificates, the key stays',
  ]);
  assert.deepEqual(texts(knowledge, '**', 'cafe\u0301'), ['Valkey answers on 6379']);
  assert.deepEqual(texts(knowledge, '**', 'RENEWAL'), ['Renew certificates, the key stays']);
  assert.deepEqual(texts(knowledge, '**', 'nothing of it'), []);
});

test('what has expired is not found', () => {
  const knowledge = given(insight('a', 'short', { expires_at: 100 }), insight('b', 'long'));
  assert.deepEqual(texts(knowledge, '*', '', 99), ['long', 'short']);
  assert.deepEqual(texts(knowledge, '*', '', 100), ['long']);
});

test('the last thousand are kept', () => {
  const many = Array.from({ length: MOST_INSIGHTS + 5 }, (_, index) => insight(`t.${index}`, String(index)));
  const knowledge = given(...many);
  assert.equal(knowledge.size, MOST_INSIGHTS);
  assert.deepEqual(texts(knowledge, 't.4'), []);
  assert.deepEqual(texts(knowledge, 't.5'), ['5']);
  // Writing one again makes it a last one.
  knowledge.add(insight('t.5', 'again'));
  knowledge.add(insight('new', 'new'));
  assert.deepEqual([texts(knowledge, 't.5'), texts(knowledge, 't.6')], [['again'], []]);
});

for (const [what, event] of [
  ['a topic that is none', insight('A B', 'x')],
  ['a topic of eleven segments', insight('a.a.a.a.a.a.a.a.a.a.a', 'x')],
  ['too long an insight', insight('a', 'ᚠ'.repeat(1_400))],
  ['too many tags', insight('a', 'x', { tags: Array.from({ length: 11 }, () => 't') })],
] as const) {
  test(`${what} is left out, whoever wrote it`, () => {
    const knowledge = new Knowledge();
    assert.equal(knowledge.add(event), false);
    assert.deepEqual([knowledge.size, knowledge.has(event.event_id)], [0, false]);
  });
}

for (const [glob, yes, no] of [
  ['infra.tls.*', ['infra.tls.a'], ['infra.tls', 'infra.tls.a.b', 'infra.tlsx.a']],
  ['infra.**', ['infra', 'infra.a', 'infra.a.b'], ['infrastructure', 'x.infra']],
  ['**.tls.**', ['tls', 'a.b.tls', 'a.tls.c.d'], ['a.b', 'atls']],
  ['a.*-x*.c', ['a.1-x.c', 'a.-x-x2.c'], ['a.x.c', 'a.1-x.d', 'a.1.-x.c']],
  ['*a*a*', ['aa', 'xaya'], ['a', 'a.a']],
  ['ab*ba', ['abba', 'abxba'], ['aba']],
] as const) {
  test(`the glob ${glob}`, () => {
    for (const topic of yes) assert.ok(topicMatcher(glob)(topic), topic);
    for (const topic of no) assert.ok(!topicMatcher(glob)(topic), topic);
  });
}

test('property: a glob matches as the expression that it stands for', () => {
  const segment = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
  const piece = fc.oneof(
    fc.constant('**'),
    fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 }),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 5 }),
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      (glob, topic) => {
        const source = glob.map((each) =>
          each === '**' ? '([^.]+[.])*' : `${each.replaceAll(/[*]+/g, '[^.]*')}[.]`,
        );
        const wanted = new RegExp(`^${source.join('')}$`).test(`${topic.join('.')}.`);
        assert.equal(topicMatcher(glob.join('.'))(topic.join('.')), wanted);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('many stars take no time', { timeout: 2_000 }, () => {
  const began = performance.now();
  const matches = topicMatcher(Array.from({ length: 10 }, () => '**').join('.'));
  for (let times = 0; times < 1_000; times++) matches('a.a.a.a.a.a.a.a.a.a');
  topicMatcher(`${'*a'.repeat(90)}b`)('a'.repeat(200));
  assert.ok(performance.now() - began < 500);
});

test('property: the compacted topic gives the same as the whole', () => {
  const topic = fc.constantFrom('a', 'a.b', 'a.c', 'd');
  const record = fc.tuple(topic, fc.oneof(fc.constant(null), fc.constantFrom('one', 'two', 'one two')));
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 20 }),
      fc.constantFrom('', 'one', 'two one'),
      (records, words) => {
        const log = records.map(([pattern, text]) => ({
          pattern,
          event: text === null ? null : insight(pattern, text),
        }));
        const compacted = log.filter(
          ({ pattern }, index) => !log.slice(index + 1).some((later) => later.pattern === pattern),
        );
        const fold = (of: typeof log) => {
          const knowledge = new Knowledge();
          for (const { pattern, event } of of) {
            if (event === null) knowledge.remove(pattern);
            else knowledge.add(event);
          }
          return knowledge.find({ pattern: '**', words, limit: 50 }, 0);
        };
        assert.deepEqual(fold(compacted), fold(log));
      },
    ),
  );
});
