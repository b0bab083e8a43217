import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bodyHash, createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { FactDraft, FactEvent } from './facts.ts';
import { isFact } from './facts.ts';
import { type Journey, journeys, ledgerOf, placed, type Step, travel, wideJourneys } from './journey.ts';
import { policy, task } from './scenario.ts';
import { textsOf, type Words } from './texts.ts';
import { createVerifier } from './verify.ts';

const codec = createCodec(numberedIds());
const missions = fc.oneof(journeys(6), wideJourneys(6));

function verify(records: readonly Buffer[]) {
  const verifier = createVerifier(codec);
  const during = placed(records).flatMap((record) => verifier.feed(record) ?? []);
  const { findings, summary } = verifier.end();
  return { found: [...during, ...findings], summary };
}

/** As another version of the code might say it: what people read, and nothing else. The input's own fact came as it is. */
const shouting: Words = (fact, position) => {
  if (position === 0) return fact;
  const loud = Object.entries(fact.payload).map(([field, value]: [string, unknown]) => {
    const isSaid =
      field === 'message' || field === 'notes' || `${fact.event_type}.${field}` === 'task_cancelled.reason';
    if (!isSaid) return [field, value];
    return [field, Array.isArray(value) ? [...value, 'LOUD'] : `${String(value)}!`];
  });
  return { ...fact, payload: Object.fromEntries(loud) } as FactDraft;
};

function decoded(bytes: Buffer): FactEvent {
  const { value } = codec.decode(bytes);
  assert.ok('payload' in value && isFact(value));
  return JSON.parse(JSON.stringify(value)) as FactEvent;
}

const withField = (
  value: unknown,
  [name, ...rest]: readonly string[],
  change: (of: unknown) => unknown,
): unknown => {
  if (name === undefined) return change(value);
  if (Array.isArray(value))
    return value.map((each, at) => (String(at) === name ? withField(each, rest, change) : each));
  const record = value as Readonly<Record<string, unknown>>;
  return { ...record, [name]: withField(record[name], rest, change) };
};

function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null) return [];
  if (typeof value !== 'object') return [[...path]];
  return Object.entries(value).flatMap(([name, inside]) => leaves(inside, [...path, name]));
}

function otherThan(value: unknown): unknown {
  if (value === 'normal') return 'high';
  if (typeof value === 'string') return `${value}x`;
  return typeof value === 'boolean' ? !value : Number(value) + 1;
}

/** Numbers of the facts that only follow on another: those of each decision but the first. */
function derivedOf(steps: readonly Step[]): number[] {
  let count = 0;
  return steps.flatMap(({ decision }) => {
    if (decision.kind === 'ignored') return [];
    const first = count;
    count += decision.facts.length;
    return decision.facts.map((_, at) => first + at).slice(1);
  });
}

function rechained(records: readonly Buffer[], from: number): Buffer[] {
  const chain = records.slice(0, from + 1);
  for (const bytes of records.slice(from + 1)) {
    chain.push(codec.encode({ ...decoded(bytes), previous_hash: bodyHash(chain.at(-1) ?? Buffer.alloc(0)) }));
  }
  return chain;
}

const isText = (fact: FactEvent, [part, field]: readonly string[]): boolean =>
  part === 'payload' && textsOf(fact.event_type).includes(field ?? '');

describe('a ledger whose texts for people were worded otherwise', () => {
  it('verifies, whatever they say, and says how many', () => {
    let reworded = 0;
    fc.assert(
      fc.property(missions, (journey) => {
        const { records } = ledgerOf(journey.mission, travel(journey, shouting), codec);
        const { found, summary } = verify(records);
        assert.deepEqual(found, []);
        assert.equal(summary.plans_as_written, 0);
        reworded += summary.reworded;
      }),
    );
    assert.ok(reworded > 100, `${reworded} texts`);
  });

  it('does not, where the bytes of a text are not those that the next fact vouches for', () => {
    const found = new Set<string>();
    fc.assert(
      fc.property(missions, fc.nat(), (journey, pick) => {
        const texts = placesOf(journey, isText).filter(
          ({ position, records }) => position + 1 < records.length,
        );
        const place = texts[pick % Math.max(1, texts.length)];
        if (place === undefined) return;
        const { records, position, changed } = place;
        const [first] = verify(records.with(position, changed)).found;
        assert.deepEqual([first?.what, first?.offset], ['hash_mismatch', position + 1]);
        found.add(decoded(changed).event_type);
      }),
    );
    assert.ok(found.size >= 3, [...found].join(', '));
  });
});

describe('what a person is asked', () => {
  it('is compared, whatever it says', () => {
    const options = { ...policy.options, review: 'plan' };
    const journey = { mission: 'm1', tasks: [task('a')], policy: { ...policy, options }, cancelled: false };
    const { records } = ledgerOf('m1', travel({ ...journey, chances: [] }), codec);
    const at = records.findIndex((bytes) => decoded(bytes).event_type === 'review_requested');
    const fields = leaves(decoded(records[at] ?? Buffer.alloc(0))).filter(([part]) => part === 'payload');
    assert.ok(fields.length >= 10);
    for (const path of fields) {
      const fact = decoded(records[at] ?? Buffer.alloc(0));
      const changed = codec.encode(withField(fact, path, otherThan) as FactEvent);
      const [first] = verify(rechained(records.with(at, changed), at)).found;
      assert.deepEqual([first?.what, first?.offset], ['decision_differs', at], path.join('.'));
    }
  });
});

describe('any other field of a fact that follows', () => {
  it('gives itself away at its place, even if the chain is mended', () => {
    fc.assert(
      fc.property(missions, fc.nat(), (journey, pick) => {
        const isOther = (fact: FactEvent, path: readonly string[]) =>
          path[0] !== 'event_type' &&
          !isText(fact, path) &&
          // `rules-0.ts`
          (journey.rules !== 0 || fact.event_type !== 'plan_created');
        const places = placesOf(journey, isOther);
        const place = places[pick % Math.max(1, places.length)];
        if (place === undefined) return;
        const { records, position, changed } = place;
        const [first] = verify(rechained(records.with(position, changed), position)).found;
        assert.ok(
          first !== undefined && first.offset <= position + 1,
          `${decoded(changed).event_type}, record ${position}`,
        );
      }),
      { numRuns: 300 },
    );
  });
});

/** Each field of the facts that follow, changed. */
function placesOf(journey: Journey, wanted: (fact: FactEvent, path: readonly string[]) => boolean) {
  const steps = travel(journey);
  const { records } = ledgerOf(journey.mission, steps, codec);
  const places: { records: readonly Buffer[]; position: number; readonly changed: Buffer }[] = [];
  for (const position of derivedOf(steps)) {
    const fact = decoded(records[position] ?? Buffer.alloc(0));
    for (const path of leaves(fact)) {
      if (!wanted(fact, path)) continue;
      const changed = (): Buffer => codec.encode(withField(fact, path, otherThan) as FactEvent);
      places.push({
        records,
        position,
        get changed() {
          return changed();
        },
      });
    }
  }
  return places;
}
