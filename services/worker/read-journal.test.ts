import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { patiently } from './read-journal.ts';

const wanted = { partition: 0, offset: 0, key: 'm/t', until: 'marker' };

test('a journal is asked for again while the broker or the registry is away', async () => {
  const answers = ['broker_unavailable', 'registry_unavailable', null] as const;
  let asked = 0;
  const read = patiently(() => {
    const code = answers[asked++];
    return code === null || code === undefined
      ? Promise.resolve([])
      : Promise.reject(new Failure(code, 'away'));
  });
  assert.deepEqual(await read(wanted, new AbortController().signal), []);
  assert.equal(asked, 3);
});

test('what is wrong with the journal itself is said at once', async () => {
  const read = patiently(() => Promise.reject(new Failure('undecodable', 'not Avro')));
  await assert.rejects(read(wanted, new AbortController().signal), { code: 'undecodable' });
});

test('it ends with the lease', async () => {
  const stop = new AbortController();
  const lost = new Failure('lease_lost', 'too old');
  const read = patiently(() => {
    stop.abort(lost);
    return Promise.reject(new Failure('broker_unavailable', 'away'));
  });
  await assert.rejects(read(wanted, stop.signal), lost);
});
