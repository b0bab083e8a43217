import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalog } from './catalog.ts';
import { readSchemaFiles, schemaFolder } from './files.ts';
import { generateTypes } from './generate.ts';

describe('generated types', () => {
  it('are in step with the .avsc files', () => {
    const found = readFileSync(join(schemaFolder, 'types.gen.ts'), 'utf8');
    assert.ok(found === generateTypes(readSchemaFiles()), 'run `npm run schemas:generate`');
  });

  it('refuse a shared record that differs between two files', () => {
    const shared = (type: string) => ({
      type: 'array',
      items: { type: 'record', name: 'Shared', fields: [{ name: 'a', type }] },
    });
    const file = (name: string, type: string) => ({
      path: `state/${name}.avsc`,
      text: JSON.stringify({ type: 'record', name, fields: [{ name: 'all', type: shared(type) }] }),
    });
    assert.doesNotThrow(() => generateTypes([file('One', 'int'), file('Two', 'int')]));
    assert.throws(() => generateTypes([file('One', 'int'), file('Two', 'long')]), {
      message: 'schemas/state/Two.avsc: Shared differs from the one in schemas/state/One.avsc',
    });
  });

  it('refuse what the codec would not take', () => {
    const file = (type: unknown) => ({
      path: 'state/one.avsc',
      text: JSON.stringify({ type: 'record', name: 'One', fields: [{ name: 'a', type }] }),
    });
    assert.throws(() => generateTypes([file(['null', 'string', 'int'])]), /one\.avsc: found the union/);
    assert.throws(
      () => generateTypes([file({ type: 'map', values: 'string' })]),
      /'map' is neither primitive/,
    );
    assert.throws(() => generateTypes([file('Nowhere')]), /type 'Nowhere'/);
  });
});

describe('schemas', () => {
  const envelope = [
    ['event_id', 'string'],
    ['event_type', 'string'],
    ['source_agent', 'string'],
    ['target_agent', 'string'],
    ['timestamp', 'timestamp-millis'],
    ['version', 'int'],
    ['correlation_id', 'string'],
    ['causation_id', 'string'],
    ['priority', 'ravenhelm.Priority'],
    ['sequence', 'long'],
    ['previous_hash', 'string'],
  ];

  for (const entry of catalog.filter(({ kind }) => kind !== 'state')) {
    it(`${entry.path} has the envelope, in its order`, () => {
      const { fields } = JSON.parse(entry.text) as { fields: { name: string; type: TypeText }[] };
      const found = fields.slice(0, envelope.length).map(({ name, type }) => [name, shownType(type)]);
      assert.deepEqual(found, envelope);
      if (entry.kind === 'events')
        assert.deepEqual(
          fields.slice(envelope.length).map(({ name }) => name),
          ['payload'],
        );
    });
  }

  it('are named after their files, and each record says what it is', () => {
    for (const { path, name, text, eventTypes, kind } of catalog) {
      const snake = name.replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
      assert.equal(path, `${kind}/${snake}.avsc`);
      if (kind === 'events') assert.deepEqual(eventTypes, [snake]);
      assert.ok((JSON.parse(text) as { doc?: string }).doc, `${path} has no doc`);
    }
  });

  it('let everything be left out of what a person writes', () => {
    const command = catalog.find(({ name }) => name === 'MissionCommand');
    assert.ok(command);
    const { fields } = JSON.parse(command.text) as { fields: { name: string; default?: unknown }[] };
    assert.deepEqual(
      fields.filter((field) => field.default === undefined),
      [],
    );
  });

  it('have only texts as attributes of their own, which every registry keeps', () => {
    const known = [
      'name',
      'type',
      'default',
      'doc',
      'namespace',
      'fields',
      'items',
      'symbols',
      'logicalType',
    ];
    const walk = (value: unknown, inDefault: boolean): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) {
        if (!inDefault && !Array.isArray(value) && !known.includes(key))
          assert.equal(typeof inner, 'string', key);
        walk(inner, inDefault || key === 'default');
      }
    };
    for (const { text } of catalog) walk(JSON.parse(text), false);
  });
});

type TypeText =
  | string
  | { readonly name?: string; readonly namespace?: string; readonly logicalType?: string };

function shownType(type: TypeText): string {
  if (typeof type === 'string') return type;
  return type.logicalType ?? `${type.namespace}.${type.name}`;
}
