import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSchema } from '#schemas/bounded.ts';
import { entryOf } from '#schemas/catalog.ts';
import { bodyHash, createCodec, headerLength } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { Event } from '#schemas/types.gen.ts';
import { type Journey, journeys, ledgerOf, placed, travel, wideJourneys } from './journey.ts';
import type { Tail } from './ledger.ts';
import { newestRules } from './rules.ts';
import { completed, policy, started, submit, task } from './scenario.ts';
import { createVerifier, type Finding, type LedgerRecord } from './verify.ts';

const codec = createCodec(numberedIds());

/** Everything that a verifier says of these records. */
function verify(records: readonly LedgerRecord[], heads: ReadonlyMap<string, Tail> = new Map(), by = codec) {
  const verifier = createVerifier(by);
  for (const [mission, head] of heads) verifier.expectHead(mission, head);
  const during = records.flatMap((record) => verifier.feed(record) ?? []);
  const { findings, summary } = verifier.end();
  return { findings: [...during, ...findings], summary };
}

const kinds = (findings: readonly Finding[]) => findings.map(({ what, offset }) => `${what} at ${offset}`);

function decoded(bytes: Buffer): Event {
  const { value } = codec.decode(bytes);
  assert.ok('payload' in value);
  // As plain data, so that a part of it can be replaced.
  return JSON.parse(JSON.stringify(value)) as Event;
}

/** Writes a fact anew with one field changed. */
function altered(bytes: Buffer, path: readonly string[], value: unknown): Buffer {
  const event = decoded(bytes);
  let at = event as unknown as Record<string, unknown>;
  for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>;
  at[path.at(-1) ?? ''] = value;
  return codec.encode(event);
}

/** Every field of a value that holds a text, a number or a truth, as paths. */
function fieldsOf(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null) return [];
  if (typeof value !== 'object') return [[...path]];
  return Object.entries(value).flatMap(([name, inside]) => fieldsOf(inside, [...path, name]));
}

function otherThan(value: unknown): unknown {
  if (value === 'normal') return 'high';
  if (typeof value === 'string') return `${value}x`;
  return typeof value === 'boolean' ? !value : Number(value) + 1;
}

/** Makes the chain whole again from a record on, as somebody who knows the rules would. */
function rechained(records: readonly Buffer[], from: number): Buffer[] {
  const chain = records.slice(0, from + 1);
  for (const bytes of records.slice(from + 1)) {
    const before = chain.at(-1);
    assert.ok(before !== undefined);
    chain.push(altered(bytes, ['previous_hash'], bodyHash(before)));
  }
  return chain;
}

/** `{ 0: 2, 1: 1 }` */
const countsOf = (versions: readonly number[]) =>
  Object.fromEntries(
    versions.map((version) => [version, versions.filter((each) => each === version).length]),
  );

const oneMission = fc.oneof(journeys(8), wideJourneys(8));
const written = (journey: Journey) => ledgerOf(journey.mission, travel(journey), codec);

const inputs = [submit([task('a'), task('b', ['a'])]), started('a'), completed('a'), completed('b')];
function example() {
  const steps: Parameters<typeof ledgerOf>[1] = travel({
    mission: 'm1',
    policy,
    cancelled: false,
    chances: [10],
    tasks: inputs[0]?.kind === 'submit' ? inputs[0].tasks : [],
  });
  return ledgerOf('m1', steps, codec);
}
const typesOf = (records: readonly Buffer[]) => records.map((bytes) => decoded(bytes).event_type);

describe('a ledger that was tampered with', () => {
  const { records, tail } = example();
  const heads = new Map([['m1', tail]]);
  const at = (type: string, nth = 0) =>
    typesOf(records).flatMap((each, position) => (each === type ? [position] : []))[nth] ?? -1;

  it('is what it should be before', () => {
    assert.deepEqual(typesOf(records), [
      'mission_accepted',
      'plan_created',
      'wave_started',
      'task_assigned',
      'task_started',
      'task_completed',
      'wave_completed',
      'wave_started',
      'task_assigned',
      'task_completed',
      'wave_completed',
      'mission_completed',
    ]);
    assert.deepEqual(verify(placed(records), heads).findings, []);
  });

  it('is found out at the offset of a decision that differs', () => {
    const assigned = at('task_assigned', 1);
    const changed = altered(records[assigned] ?? Buffer.alloc(0), ['payload', 'role'], 'other');
    const forged = rechained(records.with(assigned, changed), assigned);
    const [finding, ...more] = verify(placed(forged)).findings;
    assert.deepEqual(finding, {
      mission: 'm1',
      partition: 0,
      offset: assigned,
      sequence: assigned + 1,
      what: 'decision_differs',
      expected: 'payload.role: "b_role"',
      found: 'payload.role: "other"',
    });
    assert.deepEqual(more, []);
  });

  it('is found out at the offset of a report whose bytes the next fact does not vouch for', () => {
    const report = at('task_started');
    const changed = altered(records[report] ?? Buffer.alloc(0), ['payload', 'agent'], 'other');
    const { findings } = verify(placed(records.with(report, changed)));
    assert.deepEqual(kinds(findings), [`hash_mismatch at ${report}`]);
    assert.equal(findings[0]?.sequence, report + 1);
  });

  it('is found out when something is missing, twice there, or in another order', () => {
    const report = at('task_started');
    const swapped = records
      .with(report, records[report + 1] ?? Buffer.alloc(0))
      .with(report + 1, records[report] ?? Buffer.alloc(0));
    assert.deepEqual(kinds(verify(placed(records.toSpliced(report, 1))).findings), [
      `sequence_gap at ${report}`,
    ]);
    assert.deepEqual(kinds(verify(placed(swapped)).findings), [`sequence_gap at ${report}`]);
    const twice = records.toSpliced(report, 0, records[report] ?? Buffer.alloc(0));
    assert.deepEqual(kinds(verify(placed(twice)).findings), [`sequence_repeat at ${report + 1}`]);
    const cut = verify(placed(records.slice(0, -1))).findings;
    assert.deepEqual(kinds(cut), [`decision_incomplete at ${records.length - 2}`]);
  });

  it('cannot hide the end when its head is known', () => {
    const running = records.slice(0, at('task_completed'));
    assert.deepEqual(verify(placed(running)).findings, []);
    assert.deepEqual(kinds(verify(placed(running), heads).findings), [
      `head_differs at ${running.length - 1}`,
    ]);
    assert.deepEqual(kinds(verify([], heads).findings), ['head_differs at -1']);
    const end: Tail = { sequence: running.length, hash: bodyHash(running.at(-1) ?? Buffer.alloc(0)) };
    assert.deepEqual(verify(placed(running), new Map([['m1', end]])).findings, []);
    const last = running.length - 1;
    const changed = altered(running[last] ?? Buffer.alloc(0), ['payload', 'agent'], 'other');
    const { findings } = verify(placed(running.with(last, changed)), new Map([['m1', end]]));
    assert.deepEqual(kinds(findings), [`head_differs at ${last}`]);
  });

  it('cannot go on after the end, go back in time, or hold what is no fact', () => {
    const [first, last] = [records[0], records.at(-1)];
    assert.ok(first !== undefined && last !== undefined);
    const after = [{ sequence: records.length + 1, previous_hash: tail.hash, event_id: 'm1:99' }].map(
      (change) =>
        Object.entries(change).reduce((bytes, [name, value]) => altered(bytes, [name], value), last),
    );
    assert.deepEqual(kinds(verify(placed([...records, ...after])).findings), [
      `decision_differs at ${records.length}`,
    ]);
    const report = at('task_started');
    const early = rechained(
      records.with(report, altered(records[report] ?? Buffer.alloc(0), ['timestamp'], 1)),
      report,
    );
    assert.deepEqual(kinds(verify(placed(early)).findings), [`time_backwards at ${report}`]);
    const heartbeat = codec.encode({
      ...decoded(first),
      event_type: 'task_heartbeat',
      payload: { task_id: 'a', attempt: 1, lease: 1, agent: 'x' },
    });
    assert.deepEqual(kinds(verify(placed([heartbeat], 'm1')).findings), ['not_a_fact at 0']);
    assert.deepEqual(kinds(verify(placed([Buffer.from('garbage')], 'm1')).findings), ['undecodable at 0']);
    const { findings } = verify(
      placed([...records.slice(0, 3), Buffer.from('x'), ...records.slice(3)], 'm1'),
    );
    assert.deepEqual(kinds(findings), ['undecodable at 3']);
  });
});

describe('a ledger that somebody went on with', () => {
  const { records, tail } = example();
  const last = records.at(-1) ?? Buffer.alloc(0);

  it('cannot begin again after its end', () => {
    const again = {
      sequence: tail.sequence + 1,
      previous_hash: tail.hash,
      event_id: `m1:${tail.sequence + 1}`,
    };
    const begun = { ...decoded(records[0] ?? last), ...again, timestamp: decoded(last).timestamp };
    const [finding, ...more] = verify(placed([...records, codec.encode(begun)])).findings;
    assert.deepEqual(more, []);
    assert.deepEqual(
      [finding?.what, finding?.offset, finding?.expected],
      ['decision_differs', records.length, 'nothing after the end of the mission'],
    );
  });

  it('cannot say the same in other bytes', () => {
    // The record ends with a number; this writes it with a byte too many.
    const bytes = Buffer.concat([last.subarray(0, -1), Buffer.of((last.at(-1) ?? 0) | 0x80, 0)]);
    assert.deepEqual(decoded(bytes), decoded(last));
    assert.deepEqual(kinds(verify(placed(records.with(-1, bytes))).findings), [
      `decision_differs at ${records.length - 1}`,
    ]);
  });
});

describe('a ledger written with another version of a schema', () => {
  const { records } = example();
  const versionId = 900;
  /** `mission_completed` as a version with one more field writes it. */
  const schema = JSON.parse(entryOf('MissionCompleted').text) as { fields: object[] };
  schema.fields.push({ name: 'more', type: 'string', default: '' });
  const version = parseSchema(JSON.stringify(schema));
  const write = (change: object) => {
    const event = decoded(records.at(-1) ?? Buffer.alloc(0));
    const body = version.toBuffer({ ...event, more: 'more', ...change });
    const bytes = Buffer.concat([Buffer.alloc(headerLength), body]);
    bytes.writeInt32BE(versionId, 1);
    return records.with(-1, bytes);
  };
  const reader = async () => {
    const asked = createCodec(numberedIds(), async () => JSON.stringify(schema));
    await asked.load(write({}).at(-1) ?? Buffer.alloc(0), new AbortController().signal);
    return asked;
  };

  it('is found out all the same', async () => {
    const { findings } = verify(placed(write({ target_agent: 'other' })), new Map(), await reader());
    assert.deepEqual(kinds(findings), [`decision_differs at ${records.length - 1}`]);
    assert.match(findings[0]?.found ?? '', /^target_agent: "other"$/);
  });

  it('verifies', async () => {
    assert.deepEqual(verify(placed(write({})), new Map(), await reader()).findings, []);
  });
});

describe('any ledger', () => {
  it('gives itself away when any byte is flipped', () => {
    fc.assert(
      fc.property(oneMission, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 7 }), (journey, r, b, bit) => {
        const { mission, records, tail } = written(journey);
        const position = r % records.length;
        const flipped = Buffer.from(records[position] ?? []);
        const index = b % flipped.length;
        flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
        const { findings } = verify(placed(records.with(position, flipped)), new Map([[mission, tail]]));
        assert.ok(findings.length > 0, `bit ${bit} of byte ${index} of record ${position}`);
      }),
      { numRuns: 400 },
    );
  });

  it('gives itself away when any field is changed, and where, even if the chain is mended', () => {
    fc.assert(
      fc.property(oneMission, fc.nat(), fc.nat(), fc.boolean(), (journey, r, f, mended) => {
        const { mission, records, tail } = written(journey);
        const position = r % records.length;
        const bytes = records[position] ?? Buffer.alloc(0);
        const event = decoded(bytes);
        const fields = fieldsOf(event).filter(([name]) => name !== 'event_type');
        const path = fields[f % fields.length] ?? [];
        const before = path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], event);
        const changed = records.with(position, altered(bytes, path, otherThan(before)));
        const forged = mended && path[0] !== 'correlation_id' ? rechained(changed, position) : changed;
        const { findings } = verify(placed(forged), new Map([[mission, tail]]));
        assert.ok(findings.length > 0, `${path.join('.')} of record ${position}`);
        if (mended) return;
        const [first] = findings;
        assert.ok(first !== undefined && Math.abs(first.offset - position) <= 1, JSON.stringify(findings));
      }),
      { numRuns: 300 },
    );
  });

  it('gives itself away when a fact is dropped, or two are swapped', () => {
    fc.assert(
      fc.property(oneMission, fc.nat(), fc.boolean(), (journey, r, drop) => {
        const { mission, records, tail } = written(journey);
        const position = r % (records.length - (drop ? 0 : 1));
        const [one, two] = [records[position], records[position + 1]];
        const wrong =
          drop || one === undefined || two === undefined
            ? records.toSpliced(position, 1)
            : records.with(position, two).with(position + 1, one);
        const { findings } = verify(placed(wrong), new Map([[mission, tail]]));
        assert.ok(findings.length > 0);
      }),
    );
  });

  it('verifies as written, with many missions in one partition', () => {
    const missions = fc.tuple(journeys(8, 'm1'), wideJourneys(8, 'm2'), wideJourneys(8, 'm3'));
    fc.assert(
      fc.property(missions, fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), (drawn, order) => {
        const ledgers = drawn.map(written);
        const queues = ledgers.map(({ records }) => [...records]);
        const mixed: Buffer[] = [];
        for (let turn = 0; queues.some((queue) => queue.length > 0); turn += 1) {
          const left = queues.filter((queue) => queue.length > 0);
          const next = left[(order[turn % order.length] ?? 0) % left.length]?.shift();
          if (next !== undefined) mixed.push(next);
        }
        const heads = new Map(ledgers.map(({ mission, tail }) => [mission, tail]));
        const { findings, summary } = verify(placed(mixed), heads);
        assert.deepEqual(findings, []);
        assert.deepEqual(summary, {
          ...{ missions: 3, ended: 3, running: 0, facts: mixed.length, plans_as_written: 0, reworded: 0 },
          rules: countsOf(drawn.map(({ rules = newestRules }) => rules)),
        });
      }),
    );
  });

  it('is not judged by rules that are not known, and that of other missions is', () => {
    const { records } = example();
    const later = ledgerOf(
      'm2',
      travel({ mission: 'm2', tasks: [task('a')], policy, chances: [], cancelled: false }),
      codec,
    );
    const first = altered(later.records[0] ?? Buffer.alloc(0), ['payload', 'rules'], 900_000);
    const { findings, summary } = verify(placed([...records, ...rechained(later.records.with(0, first), 0)]));
    assert.deepEqual(
      findings.map(({ mission, what, sequence }) => `${mission} ${what} ${sequence}`),
      ['m2 rules_unknown 1'],
    );
    assert.match(findings[0]?.found ?? '', /^rules 900000;/);
    assert.equal(summary.missions, 2);
  });

  it('keeps a broken mission from hiding what is wrong with another', () => {
    const { records } = example();
    const other = ledgerOf(
      'm2',
      travel({ mission: 'm2', tasks: [task('a')], policy, chances: [], cancelled: false }),
      codec,
    );
    const mixed = [...records.slice(1), ...other.records.slice(1)];
    assert.deepEqual(
      verify(placed(mixed)).findings.map(({ mission, what }) => `${mission} ${what}`),
      ['m1 sequence_gap', 'm2 sequence_gap'],
    );
  });
});
