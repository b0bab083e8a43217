/** Files that mean harm: each is refused in words, or is nothing but text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { parseRole } from '#roles/load.ts';
import { parseMission } from './load.ts';

const mission = (yaml: string) => parseMission(yaml, 'm.yaml');
const role = (yaml: string) => parseRole(`---\nname: m\n${yaml}\n---\nDo it.`, 'm.md');

/** Nine names, each nine times the one before: 387 million in the end. */
const bomb = 'abcdefghi'
  .split('')
  .map((name, at, all) => `${name}: &${name} [${Array(9).fill(at === 0 ? 'x' : `*${all[at - 1]}`)}]`)
  .join('\n');

/** In seconds, not minutes, however busy the machine, and with a message that can be read. */
function refused(parse: (yaml: string) => unknown, yaml: string): string {
  const began = performance.now();
  try {
    const value = parse(yaml);
    return assert.fail(`taken: ${JSON.stringify(value).slice(0, 200)}`);
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    assert.ok(performance.now() - began < 20_000, 'it takes too long');
    assert.ok(error.message.length < 60_000, `found a message of ${error.message.length} characters`);
    return error.message;
  }
}

test('a bomb of aliases is refused, in a mission and in a role', () => {
  for (const parse of [mission, role]) assert.match(refused(parse, bomb), /alias count/);
});

test('nesting without end is refused, in a mission and in a role', () => {
  for (const parse of [mission, role]) {
    for (const open of ['[', '{a: ', '- ', '? ', '*a', '&a ', '!!x ']) {
      refused(parse, `description: ${open.repeat(20_000)}`);
    }
  }
});

test('keys like __proto__ and constructor are unknown keys, and nothing is polluted', () => {
  for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    for (const parse of [mission, role]) {
      assert.match(
        refused(parse, `description: d\nbrief: b\n${key}: { polluted: yes }`),
        /nknown key|nrecognized key/,
      );
    }
    refused(mission, `tasks: [{ role: a, ${key}: { polluted: yes } }]`);
    refused(role, `description: d\nlimits: { ${key}: { polluted: yes } }`);
    refused(role, `description: d\nmodel: { provider: ollama, name: x, ${key}: { polluted: yes } }`);
  }
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  // Arguments of a call are any JSON, but for this key, which no tool would take either.
  const calls = '[{ tool: workspace_write, arguments: { __proto__: { a: 1 }, b: 2 } }]';
  const { tasks } = mission(`tasks: [{ role: a, id: a, script: ${calls} }]`);
  assert.equal(tasks[0]?.script?.calls[0]?.arguments, '{"b":2}');
});

test('tags make no objects: what they stand before is text, or refused', () => {
  assert.equal(mission('brief: !!js/function "function(){}"').brief, 'function(){}');
  for (const tagged of [
    '!!python/object/apply:os.system ["id"]',
    '!!binary aGk=',
    '!!set {a, b}',
    '!!omap [a: 1]',
  ]) {
    refused(mission, `brief: ${tagged}`);
    refused(role, `description: ${tagged}`);
  }
  refused(mission, 'brief: &a [*a]');
  refused(role, 'description: &a [*a]');
});
