import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadLetter } from '#chassis/dead-letter.ts';
import { openLog } from '#chassis/log.ts';
import { Transaction } from '#chassis/transaction.ts';
import { noTail, seal } from '#orchestrator/ledger.ts';
import { assigned, given, history, missionId, start, submit, task } from '#orchestrator/scenario.ts';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { topicNames } from '#topics/table.ts';
import { Letters } from './letters.ts';

const codec = createCodec(numberedIds());
const topics = topicNames('test');
const bytes = { get: () => undefined, want() {}, sent() {}, forget() {} };

const open = () =>
  new Letters({
    ...{ partition: 2, topics, codec, bytes, log: openLog('retrier', 'silent') },
    ...{ sizeOf: () => 3, mostRedrives: 3 },
  });

const assignment = (change: Parameters<typeof assigned>[1] = {}): Buffer => {
  const about = { mission_id: missionId, priority: 'normal', causation_id: 'c', now: start } as const;
  const [sealed] = seal([assigned('a', change)], { ...about, tail: noTail, codec }).events;
  assert.ok(sealed !== undefined);
  return sealed.bytes;
};

/** A dead letter of what was on this topic, as it stands on the topic of dead letters. */
function letterOf(topic: string, value: Buffer, offset = 5) {
  const record = { key: Buffer.from('m1/a'), value, headers: {}, offset: '9', timestamp: '0', attributes: 0 };
  const failure = { code: 'record_too_large', message: 'found 269119 bytes' } as const;
  const put = { topic: topics.dlq, service: 'worker-a', origin: { topic, partition: 0, message: record } };
  const { message } = deadLetter({ ...put, failure, now: start, codec });
  const key = Buffer.from(message.key ?? '');
  const { value: same, headers = {} } = message;
  const written = { ...record, key, value: same, headers, offset: String(offset) };
  return { topic: topics.dlq, partition: 2, offset, message: written };
}

const reportsIn = (out: Transaction) =>
  out.records.flatMap(({ topic, message }) =>
    topic === topics.reports && message.value !== null
      ? [codec.decode(message.value).value as EventOf<'task_attempt_failed'>]
      : [],
  );

describe('an assignment that is a dead letter', () => {
  it('is reported as a failed attempt once, and its mission goes on with a clear code', () => {
    let letters = open();
    const out = new Transaction();
    letters.handleRaw(letterOf(topics.tasks('a_role'), assignment()), start, out);
    const [report, ...others] = reportsIn(out);
    assert.ok(report !== undefined);
    assert.deepEqual(others, []);
    const { task_id, attempt, lease, code, message } = report.payload;
    assert.deepEqual([report.correlation_id, task_id, attempt, lease], [missionId, 'a', 1, 1]);
    assert.equal(code, 'assignment_refused');
    assert.match(message, /dead letter 2-5 \(record_too_large\): found 269119 bytes/);

    // Whoever has the partition next reads it again only where the account of it was not committed.
    const changes = [...letters.changes()];
    letters = open();
    for (const [key, value] of changes) letters.restore(key, value);
    letters.restored();
    const again = new Transaction();
    letters.handleRaw(letterOf(topics.tasks('a_role'), assignment()), start, again);
    assert.deepEqual(again.records, []);

    const { state } = history(submit([task('a')]));
    const { decision } = given(state).when({ kind: 'report', event: report });
    assert.ok(decision.kind === 'facts');
    assert.deepEqual(
      decision.facts.map(({ event_type }) => event_type),
      ['task_failed', 'wave_completed', 'mission_failed'],
    );
  });

  it('says nothing of a lease that is over: the orchestrator ignores it', () => {
    const out = new Transaction();
    open().handleRaw(letterOf(topics.tasks('a_role'), assignment({ lease: 2 })), start, out);
    const [report] = reportsIn(out);
    assert.ok(report !== undefined);
    given(history(submit([task('a')])).state)
      .when({ kind: 'report', event: report })
      .ignored('LeaseStale');
  });

  it('is reported only where it was an assignment on a topic of tasks, and can be read', () => {
    for (const [topic, value] of [
      [topics.reports, assignment()],
      [topics.tasks('another'), assignment()],
      [topics.tasks('a_role'), Buffer.from('nothing')],
      [topics.tasks('a_role'), Buffer.from([0, 0, 0, 255, 255, 1])],
    ] as const) {
      const out = new Transaction();
      open().handleRaw(letterOf(topic, value), start, out);
      assert.deepEqual(reportsIn(out), []);
      assert.equal(out.records.length, 1, 'it is recorded all the same');
    }
  });
});

describe('the account of letters', () => {
  it('that contradicts itself ends nobody: the letter is left out, and the others are known', () => {
    const letters = open();
    const out = new Transaction();
    letters.handleRaw(letterOf(topics.reports, Buffer.from('x'), 5), start, out);
    letters.handleRaw(letterOf(topics.reports, Buffer.from('y'), 6), start, out);
    const restored = open();
    for (const [key, value] of letters.changes())
      restored.restore(key, key === 'letter/5' ? Buffer.from('{') : value);
    restored.restored();
    const again = new Transaction();
    restored.handleRaw(letterOf(topics.reports, Buffer.from('y'), 6), start, again);
    assert.deepEqual(again.records, []);
  });

  it('is restored however many letters there are', () => {
    const letters = open();
    const letter = {
      partition: 2,
      state: 'waiting',
      topic: 't',
      mission: '',
      code: 'x',
      redrives: 0,
      hash: '',
    };
    for (let offset = 0; offset < 140_000; offset += 1) {
      const value = JSON.stringify({ ...letter, offset, recorded_at: start, order: null });
      letters.restore(`letter/${offset}`, Buffer.from(value));
    }
    letters.restored();
    assert.equal(letters.nextAlarm(), null);
  });
});
