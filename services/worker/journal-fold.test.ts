import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Script } from '#schemas/types.gen.ts';
import { resumeMarker } from './journal.ts';
import { foldJournal, type JournalRecord } from './journal-fold.ts';
import { decodeStep, Log, ownerOf, rehearsalCodec, rehearse } from './rehearsal.ts';

const codec = rehearsalCodec();
const script: Script = {
  calls: [{ tool: 'no_such_tool', arguments: '{}', allow_failure: true }],
  answer: 'x',
};
let journal: JournalRecord[];
const marker = (lease: number) => decodeStep(codec, resumeMarker(ownerOf(lease), codec, 0).value);

before(async () => {
  const log = new Log();
  await rehearse({ log, lease: 1, workspaces: '', script });
  journal = log.records.map(({ value }) => decodeStep(codec, value));
  assert.equal(journal.length, 6);
});

test('a gap, an exchange or a change breaks the chain', () => {
  for (let at = 0; at < journal.length; at++) {
    if (at < journal.length - 1) {
      assert.throws(() => foldJournal(journal.toSpliced(at, 1), ownerOf(1)), { code: 'ledger_broken' });
      const exchanged = journal.toSpliced(
        at,
        2,
        journal[at + 1] as JournalRecord,
        journal[at] as JournalRecord,
      );
      assert.throws(() => foldJournal(exchanged, ownerOf(1)), { code: 'ledger_broken' });
      const record = journal[at] as JournalRecord;
      const changed = decodeStep(codec, codec.encode({ ...record.event, timestamp: 5 }));
      assert.throws(() => foldJournal(journal.with(at, changed), ownerOf(1)), { code: 'ledger_broken' });
    }
  }
});

test('records that were written twice count once', () => {
  const once = foldJournal(journal, ownerOf(1));
  assert.deepEqual(
    foldJournal([...journal.slice(0, 4), ...journal.slice(0, 4), ...journal.slice(2)], ownerOf(1)),
    once,
  );
});

test('what an older lease writes after the marker of a newer one does not count', () => {
  const folded = foldJournal([...journal.slice(0, 3), marker(2), ...journal.slice(3)], ownerOf(2));
  assert.equal(folded.tail.sequence, 3);
  assert.deepEqual(folded.unfinished, {
    kind: 'tool',
    step: 2,
    call_id: 'call_1',
    tool: 'no_such_tool',
    effect: 'none',
    review_id: '',
  });
  assert.equal(folded.nextStep, 2);
});

test('other missions, tasks and attempts in the same partition are passed over', () => {
  const others = journal.flatMap(({ event }) => [
    decodeStep(codec, codec.encode({ ...event, correlation_id: 'another' })),
    decodeStep(codec, codec.encode({ ...event, payload: { ...event.payload, attempt: 2 } } as typeof event)),
    decodeStep(
      codec,
      codec.encode({ ...event, payload: { ...event.payload, task_id: 'b' } } as typeof event),
    ),
  ]);
  const mixed = journal.flatMap((record, index) => [...others.slice(index * 3, index * 3 + 3), record]);
  assert.deepEqual(foldJournal(mixed, ownerOf(1)), foldJournal(journal, ownerOf(1)));
});

test('a lease that a newer one has followed is lost', () => {
  assert.throws(() => foldJournal([...journal, marker(3)], ownerOf(2)), { code: 'lease_lost' });
});

test('an effect that this version does not know is not repeated', () => {
  const { event } = journal[2] as JournalRecord;
  assert.equal(event.event_type, 'tool_call_started');
  const unknown = decodeStep(
    codec,
    codec.encode({ ...event, payload: { ...event.payload, effect: 'twice' } } as typeof event),
  );
  const folded = foldJournal([...journal.slice(0, 2), unknown], ownerOf(1));
  assert.ok(folded.unfinished?.kind === 'tool' && folded.unfinished.effect === 'once');
});
