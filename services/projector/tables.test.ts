import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeRows, type TableName, tableNames, tables, toJson } from './tables.ts';

test('the tables are those of the migrations, column by column', () => {
  const folder = new URL('./migrations/', import.meta.url);
  const files = readdirSync(folder).toSorted();
  const sql = files.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n');
  const created = new Map(
    [...sql.matchAll(/create table (?:if not exists )?(\w+) \(\n(.*?)\n\);/gs)].map(([, name, body]) => [
      name,
      (body ?? '').split('\n').map((line) => line.trim().replaceAll('"', '')),
    ]),
  );
  const added = [...sql.matchAll(/^alter table (\w+)\n(.*?);/gms)].map(([, name, body]) => ({
    name,
    columns: [
      ...(body ?? '').matchAll(/add column (?:if not exists )?(.+?)(?: not null)?(?: default \S+?)?,?$/gm),
    ],
  }));
  for (const name of tableNames) {
    const later = added.filter((each) => each.name === name).flatMap(({ columns }) => columns);
    const lines = [...(created.get(name) ?? []), ...later.map(([, column]) => column ?? '')];
    const columns = lines
      .filter((line) => !line.startsWith('primary key'))
      .map((line) => line.replace(/( not null| primary key)?,?$/, ''));
    const known = Object.entries(tables[name].columns).map(([column, type]) => `${column} ${type}`);
    assert.deepEqual(columns.toSorted(), known.toSorted(), name);
  }
  assert.deepEqual([...created.keys()].toSorted(), [...tableNames, 'projector_offsets'].toSorted());
});

/** What PostgreSQL does with a row and one that is there: the same as what we do with two in one batch. */
const fold = (name: TableName, rows: readonly object[]) =>
  rows.reduce((older, newer) => mergeRows(name, older, newer));

interface Said {
  readonly lease: number;
  readonly sequence: number;
  readonly status: string;
  readonly output?: string;
  readonly started_at?: string;
}

/** The records of one call: each lease begins it and may end it, and any record may be there again, later. */
const journal = fc
  .tuple(fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), fc.array(fc.tuple(fc.nat(), fc.nat())))
  .map(([leases, repeats]) => {
    const records: Said[] = leases.flatMap((ends, i): Said[] => {
      const [lease, sequence] = [i + 1, 2 * i + 1];
      const begun = { lease, sequence, status: 'started', started_at: `at ${sequence}` };
      const ended = { lease, sequence: sequence + 1, status: 'ok', output: `of ${lease}` };
      return ends ? [begun, ended] : [begun];
    });
    for (const [which, after] of repeats) {
      const at = which % records.length;
      const record = records[at];
      if (record !== undefined) records.splice(at + 1 + (after % (records.length - at)), 0, record);
    }
    return records;
  });

/** What facts say of an attempt or a mission: any of it may be left out. */
const sayings = fc.array(
  fc.record(
    {
      lease: fc.nat(3),
      sequence: fc.nat(),
      status: fc.constantFrom('assigned', 'completed'),
      code: fc.constantFrom('a', 'b'),
      started_at: fc.constantFrom('1', '2'),
    },
    { requiredKeys: ['lease', 'sequence', 'status'] },
  ),
  { minLength: 1, maxLength: 6 },
);

test('rows of a batch may be merged before they meet those of the table', () => {
  const check = (name: TableName) => (rows: readonly object[], at: number) => {
    const cut = at % rows.length;
    const batches = [rows.slice(0, cut), rows.slice(cut)].filter((batch) => batch.length > 0);
    assert.deepEqual(
      fold(
        name,
        batches.map((batch) => fold(name, batch)),
      ),
      fold(name, rows),
    );
  };
  fc.assert(fc.property(journal, fc.nat(), check('steps')));
  fc.assert(fc.property(journal, fc.nat(), check('model_calls')));
  fc.assert(fc.property(sayings, fc.nat(), check('attempts')));
  fc.assert(fc.property(sayings, fc.nat(), check('missions')));
});

test('a step that is begun anew by a later lease takes nothing over', () => {
  const old = { lease: 1, sequence: 4, status: 'ok', output: 'old', started_at: '1' };
  const anew = { lease: 2, sequence: 4, status: 'started', started_at: '2' };
  assert.deepEqual(mergeRows('steps', old, anew), anew);
  assert.deepEqual(mergeRows('steps', anew, { ...old, sequence: 9 }), anew);
});

test('texts become what PostgreSQL takes, and nothing else changes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('\u0000', '\\', 'u0000', 'a', '"') }), (text) => {
      const [row] = JSON.parse(toJson([{ text }])) as [{ text: string }];
      assert.equal(row.text, text.replaceAll('\u0000', '\ufffd'));
      assert.ok(!/(?<!\\)(?:\\\\)*\\u0000/.test(toJson([{ text }])));
    }),
  );
});
