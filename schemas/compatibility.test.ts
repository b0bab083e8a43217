import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { incompatibilities } from './compatibility.ts';
import { readSchemaFiles } from './files.ts';

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

const path = 'events/task_assigned.avsc';
const files = readSchemaFiles();

/** What is wrong after this change of the payload of task_assigned. */
function after(change: (fields: readonly Field[]) => readonly Field[]): string[] {
  const changed = files.map((file) => {
    if (file.path !== path) return file;
    const schema = JSON.parse(file.text) as {
      fields: { name: string; type: { fields: readonly Field[] } }[];
    };
    const payload = schema.fields.find(({ name }) => name === 'payload');
    assert.ok(payload);
    payload.type.fields = change(payload.type.fields);
    return { ...file, text: JSON.stringify(schema) };
  });
  return incompatibilities(files, changed).map((found) => {
    assert.equal(found.path, path);
    return `${found.field} ${found.reason}`;
  });
}

const without = (name: string) => (fields: readonly Field[]) => fields.filter((field) => field.name !== name);
const retyped = (name: string, change: (type: unknown) => unknown) => (fields: readonly Field[]) =>
  fields.map((field) => (field.name === name ? { ...field, type: change(field.type) } : field));

describe('compatibility', () => {
  it('holds for the schemas as they are', () => {
    assert.deepEqual(incompatibilities(files, files), []);
  });

  it('holds when a field with a default comes or goes, and when a default or a doc changes', () => {
    assert.deepEqual(
      after((fields) => [...fields, { name: 'later', type: 'string', default: '' }]),
      [],
    );
    assert.deepEqual(after(without('description')), []);
    assert.deepEqual(
      after((fields) => fields.map((field) => ({ ...field, doc: 'other words' }))),
      [],
    );
  });

  it('does not hold when a field without a default comes or goes', () => {
    assert.deepEqual(
      after((fields) => [...fields, { name: 'later', type: 'string' }]),
      ['TaskAssigned.payload.later is new and has no default: older records cannot be read'],
    );
    assert.deepEqual(after(without('task_id')), [
      'TaskAssigned.payload.task_id is gone, but had no default: older services cannot read without it',
    ]);
  });

  it('does not hold when a type changes, even to one that can be promoted', () => {
    const [found, ...more] = after(retyped('attempt', () => 'long'));
    assert.match(found ?? '', /^TaskAssigned\.payload\.attempt older services cannot read newer records: /);
    assert.deepEqual(more, []);
    assert.equal(after(retyped('attempt', () => 'string')).length, 2);
  });

  it('finds a change inside a list', () => {
    const found = after(
      retyped('needs', (type) => {
        const list = structuredClone(type) as { items: { fields: Field[] } };
        list.items.fields.push({ name: 'later', type: 'string' });
        return list;
      }),
    );
    assert.deepEqual(found, [
      'TaskAssigned.payload.needs[].later is new and has no default: older records cannot be read',
    ]);
  });

  it('follows a record to another file, and misses one that is gone', () => {
    const moved = files.map((file) => (file.path === path ? { ...file, path: 'events/moved.avsc' } : file));
    assert.deepEqual(incompatibilities(files, moved), []);
    const gone = files.filter((file) => file.path !== path);
    assert.deepEqual(incompatibilities(files, gone), [
      { path, field: 'TaskAssigned', reason: 'is gone, but records of it stay in the topics' },
    ]);
  });
});
