import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRole } from '#roles/load.ts';
import type { McpServer } from '#roles/mcp-front-matter.ts';
import { schemaOf, toolName, visible } from './mcp-naming.ts';
import { defineJsonTool } from './tool.ts';
import { toolboxOf } from './toolbox.ts';

function servers(entries: readonly object[]): readonly McpServer[] {
  return parseRole(`---\nname: a\ndescription: b\nmcp: ${JSON.stringify(entries)}\n---\nDo it.`, 'a.md').mcp;
}

test('two tools of one name in a toolbox, and two servers of one name, are refused', () => {
  const schema = { name: 'mcp__a__b', description: '', parameters: {} };
  const run = () => Promise.resolve({ ok: true as const, output: '', truncated: false });
  const tool = defineJsonTool({ schema, problems: () => null, effect: 'once', run });
  assert.throws(() => toolboxOf([], undefined, { always: [tool, tool] }), { code: 'invalid_configuration' });
  const entry = { name: 'a', command: ['x'] };
  assert.throws(() => servers([entry, entry]), { message: /^a\.md:4: mcp\.1\.name: found a twice/ });
});

test('the texts in a schema are cut, properties that are named like them are not', () => {
  const [server] = servers([{ name: 'a', command: ['x'] }]);
  assert.ok(server);
  const properties = { description: { type: 'string' }, id: { title: 't'.repeat(400) } };
  const shown = schemaOf(server, { name: 'b', inputSchema: { type: 'object', $id: 'x', properties } });
  assert.deepEqual(shown?.parameters, {
    type: 'object',
    properties: { description: { type: 'string' }, id: { title: `${'t'.repeat(300)} [... cut]` } },
  });
  const huge = { a: { enum: ['z'.repeat(20_000)] } };
  assert.equal(schemaOf(server, { name: 'b', inputSchema: { type: 'object', properties: huge } }), null);
});

test('property: a name is one that every provider takes, and the same for the same tool only', () => {
  const server = fc.constantFrom('a', 'a-b', 'abc', 'x'.repeat(32));
  const tool = fc.oneof(
    fc.string({ maxLength: 80 }),
    fc.string({ unit: fc.constantFrom('a', '_', 'b'), maxLength: 80 }),
  );
  fc.assert(
    fc.property(server, tool, server, tool, (a, one, b, other) => {
      assert.match(toolName(a, one), /^mcp__[a-zA-Z0-9_-]{1,59}$/);
      assert.equal(toolName(a, one) === toolName(b, other), a === b && one === other);
    }),
    { numRuns: 500 },
  );
});

test('property: what is shown of a text is bounded, and hides nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 150 }), (codes) => {
      const text = String.fromCodePoint(...codes, 0x200b, 0xe0041);
      assert.ok(visible(text, 100).length <= 111);
      assert.ok(!/[\u200b\u202e\u{E0000}-\u{E007F}\0\x1b]/u.test(visible(text, 100)));
    }),
  );
});

for (const [what, entry, message] of [
  [
    'both command and url',
    { name: 'a', command: ['x'], url: 'http://a' },
    /mcp\.0: found the keys .*, expected either command or url/,
  ],
  ['neither', { name: 'a' }, /mcp\.0: found the keys .*, expected either command or url/],
  [
    'a name with two dashes',
    { name: 'a__b', command: ['x'] },
    /mcp\.0\.name: found "a__b", expected lower-case/,
  ],
  ['env with url', { name: 'a', url: 'http://a', env: ['A'] }, /mcp\.0: found env or cwd/],
  [
    'another protocol',
    { name: 'a', url: 'file:///etc' },
    /mcp\.0\.url: found "file:\/\/\/etc", expected an http or https address/,
  ],
] as const) {
  test(`a role file with ${what} is refused`, () => {
    assert.throws(() => servers([entry]), { code: 'invalid_configuration', message });
  });
}
