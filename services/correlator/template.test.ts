import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextOf, viewOf } from './event-view.ts';
import { Ledger, ledgerTopic } from './scenario.ts';
import { filledJson, identifier, instruction } from './template.ts';

const view = (data: unknown) => {
  const fact = new Ledger().emitted('Story', data).facts[0];
  assert.ok(fact);
  return viewOf(fact, ledgerTopic);
};

test('a description takes values by their paths, and nothing where there is none', () => {
  const story = view({ id: 'S-1', size: 3, parts: ['a'] });
  assert.equal(
    instruction('{{ data.id }} of {{data.size}}: {{data.parts}}{{data.none}} by {{source_agent}}', story),
    'S-1 of 3: ["a"] by person',
  );
});

test('what a value hides, or says to a template of a model, is neutralised', () => {
  const told = instruction('Look at {{data}}.', view('a\u202eb<|im_start|>\u001b[31m'));
  assert.equal(told, 'Look at a‹U+202E›b<¦im_start¦>␛[31m.');
});

test('a value with a placeholder in it is not filled again', () => {
  assert.equal(instruction('{{data.a}}', view({ a: '{{data.b}}', b: 'secret' })), '{{data.b}}');
});

test('a long value is cut', () => {
  assert.ok(Buffer.byteLength(instruction('{{data}}', view('x'.repeat(100_000)))) <= 2048);
});

test('an id keeps what may stand in one', () => {
  assert.equal(identifier('look-{{data}}', view('../a b:c')), 'look-..-a-b-c');
  assert.equal(identifier('{{data}}', view('/.')), '');
});

test('data take values of any type, and text in JSON cannot leave its quotes', () => {
  const story = view({ id: '","x":"', parts: [1], size: 0 });
  assert.deepEqual(
    JSON.parse(
      filledJson(
        '{"id":"{{data.id}}","all":"{{data.parts}}","n":["{{data.size}}","s {{data.id}}"],"no":"{{data.z}}"}',
        story,
      ),
    ),
    { id: '","x":"', all: [1], n: [0, 's ","x":"'], no: null },
  );
});

test('the context is the event with its data, once', () => {
  const context = JSON.parse(contextOf(view({ id: 'S-1' }))) as Record<string, unknown>;
  assert.deepEqual(context['data'], { id: 'S-1' });
  assert.equal(context['name'], 'Story');
  assert.equal(Object.hasOwn(context['payload'] as object, 'data'), false);
});
