import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRole } from '#roles/load.ts';
import type { PolicyRule } from '#roles/policy-front-matter.ts';
import { decidePolicy } from './policy.ts';
import { toolboxOf } from './tools/toolbox.ts';

const builtIn = ['execute_terminal_command', 'workspace_read', 'workspace_write', 'workspace_list'];

interface Rule {
  readonly tool: string;
  readonly when?: Readonly<Record<string, string | readonly string[]>>;
  readonly then: 'allow' | 'ask' | 'deny';
}

/** Rules as they come out of a role file. */
function rulesOf(
  rules: readonly (Rule & { readonly reason?: string; readonly expires?: string })[],
): readonly PolicyRule[] {
  const front = `name: a\ndescription: b\npolicy: ${JSON.stringify(rules)}`;
  return parseRole(`---\n${front}\n---\nDo it.\n`, 'a.md').policy;
}

function decide(rules: Parameters<typeof rulesOf>[0], tool: string, args: unknown, listed = builtIn) {
  return decidePolicy(rulesOf(rules), tool, typeof args === 'string' ? args : JSON.stringify(args), listed);
}
const verdict = (...of: Parameters<typeof decide>) => decide(...of).verdict;

test('without rules the listed tools of the squad are allowed, and nothing else is', () => {
  for (const tool of builtIn) assert.equal(verdict([], tool, {}), 'allow');
  assert.equal(verdict([], 'workspace_write', {}, ['workspace_read']), 'deny');
  assert.equal(verdict([], 'share_insight', {}), 'deny');
  assert.equal(verdict([], 'share_insight', {}, ['share_insight']), 'allow');
  assert.deepEqual(decide([], 'mcp__git__push', {}, ['mcp__git__push']), {
    verdict: 'deny',
    rule: null,
    reason: 'no rule of the role allows mcp__git__push',
  });
});

test('the first rule that matches wins, and says its reason and how long a person has', () => {
  const rules = [
    {
      tool: 'mcp__git__*',
      when: { branch: 'main' },
      then: 'ask',
      reason: 'main is everybody’s',
      expires: '10m',
    },
    { tool: 'mcp__git__push_force', then: 'deny' },
    { tool: 'mcp__git__*', then: 'allow' },
    { tool: '*', then: 'ask' },
  ] as const;
  assert.deepEqual(decide(rules, 'mcp__git__push', { branch: 'main' }), {
    verdict: 'ask',
    rule: 0,
    reason: 'main is everybody’s',
    expires_ms: 600_000,
  });
  assert.equal(verdict(rules, 'mcp__git__push_force', { branch: 'x' }), 'deny');
  assert.equal(verdict(rules, 'mcp__git__push', { branch: 'x' }), 'allow');
  const asked = decide(rules, 'mcp__other__x', {});
  assert.deepEqual([asked.verdict, asked.expires_ms], ['ask', 3_600_000]);
});

/** Rules that mean to allow reading a log, each way to write them. */
const gitLog = [
  { tool: 'execute_terminal_command', when: { command: 'git log*' }, then: 'allow' },
  { tool: 'execute_terminal_command', when: { argv: 'git log*' }, then: 'allow' },
  { tool: 'execute_terminal_command', when: { argv: '["git","log*"]' }, then: 'allow' },
  { tool: 'execute_terminal_command', when: { argv: ['git', 'log', '--one*'] }, then: 'allow' },
] as const;

for (const args of [
  { argv: ['git', '-c', 'core.pager=sh -c evil', 'log'] },
  { argv: ['git log', '-c'] },
  { argv: ['git', 'log', '-p', '--output=/etc/x'] },
  { argv: ['git', 'log","--output=x'] },
  { argv: ['git', 'log', '--one\nline', 'more'] },
  { argv: { 0: 'git', 1: 'log', length: 2 } },
  { command: 'git -c core.pager=evil log' },
  { command: 'git log; evil' },
  { command: 'git log\nevil' },
  { command: 'git log $(evil)' },
  { command: 'git log `evil`' },
  { command: 'git log | evil' },
  { command: 'git log > /etc/x' },
  { command: 'git log & evil' },
  { command: ' git log' },
  { command: 'gіt log' },
  { command: 'git\u200b log' },
  { command: 'GIT log' },
  { command: `git log ${'a'.repeat(40_000)}` },
  { COMMAND: 'git log' },
  {},
]) {
  test(`rules that allow git log do not allow ${JSON.stringify(args).slice(0, 80)}`, () => {
    assert.equal(verdict(gitLog, 'execute_terminal_command', args), 'deny');
  });
}

test('they do allow what they mean', () => {
  for (const args of [
    { command: 'git log --oneline -n 3 v1.0..HEAD' },
    { argv: ['git', 'log'] },
    { argv: ['git', 'log', '--oneline'] },
  ]) {
    assert.equal(verdict(gitLog, 'execute_terminal_command', args), 'allow', JSON.stringify(args));
  }
  const open = [{ tool: '*', when: { argv: ['make', '-C', '*', '**'] }, then: 'allow' }] as const;
  assert.equal(verdict(open, 'execute_terminal_command', { argv: ['make', '-C', 'a', 'b', '$c'] }), 'allow');
  assert.equal(verdict(open, 'execute_terminal_command', { argv: ['make', '-C'] }), 'deny');
  const exact = [{ tool: '*', when: { command: 'make | tee "log"' }, then: 'allow' }] as const;
  assert.equal(verdict(exact, 'execute_terminal_command', { command: 'make | tee "log"' }), 'allow');
});

test('a rule that forbids is met by what it cannot be sure of', () => {
  const rules = [{ tool: 'execute_terminal_command', when: { command: '*curl*' }, then: 'deny' }] as const;
  assert.equal(verdict(rules, 'execute_terminal_command', { command: 'ls' }), 'allow');
  assert.equal(verdict(rules, 'execute_terminal_command', { command: 'x; curl y' }), 'deny');
  assert.equal(
    verdict(rules, 'execute_terminal_command', { argv: ['curl'] }),
    'deny',
    'another way to say it',
  );
  const argv = [{ tool: '*', when: { argv: 'git push*' }, then: 'ask' }] as const;
  assert.equal(verdict(argv, 'execute_terminal_command', { argv: ['git', 'push', '-f'] }), 'ask');
  assert.equal(verdict(argv, 'execute_terminal_command', { argv: ['git', 'pull'] }), 'allow');
});

test('defaults are part of what is decided about', () => {
  const rules = [{ tool: 'workspace_write', when: { mode: 'append' }, then: 'deny' }] as const;
  const call = toolboxOf(builtIn).prepare('workspace_write', '{"path":"a","content":""}');
  assert.equal(verdict(rules, 'workspace_write', call.argumentsJson), 'allow');
  assert.equal(verdict(rules, 'workspace_write', '{"path":"a","content":""}'), 'deny');
});

test('a path is what the workspace takes it for', () => {
  const rules = [{ tool: 'workspace_*', when: { path: 'keys/*' }, then: 'deny' }] as const;
  for (const path of ['keys/a', './keys/a', 'keys//a', 'keys/./a', '../x', '/keys/a'])
    assert.equal(verdict(rules, 'workspace_read', { path }), 'deny', path);
  assert.equal(verdict(rules, 'workspace_read', { path: 'certs/keys/a' }), 'allow');
});

test('arguments inside arguments, in lists, and of other kinds than text', () => {
  const rules = [
    {
      tool: '*',
      when: { 'to.0.port': '8080', 'to.0.tls': 'true', 'to.0.host': '/[a-z]+\\.example/' },
      then: 'allow',
    },
  ] as const;
  const to = (found: unknown) => verdict(rules, 'mcp__a__b', { to: [found] });
  assert.equal(to({ port: 8080, tls: true, host: 'a.example' }), 'allow');
  assert.equal(to({ port: 8081, tls: true, host: 'a.example' }), 'deny');
  assert.equal(to({ port: 8080, tls: true, host: 'a.example.evil' }), 'deny');
  assert.equal(to({ port: 8080, tls: true, host: { toString: 'a.example' } }), 'deny');
  assert.equal(verdict([{ tool: '*', when: { 'a.length': '1' }, then: 'allow' }], 'x', { a: ['b'] }), 'deny');
  assert.equal(verdict([{ tool: '*', when: { constructor: '*' }, then: 'allow' }], 'x', {}), 'deny');
});

for (const args of ['{', '[]', '"x"', '{"__proto__":{"path":"a"}}', '{"a":{"__proto__":1}}']) {
  test(`${args} is denied whatever the rules say`, () => {
    assert.equal(verdict([{ tool: '*', then: 'allow' }], 'workspace_read', args), 'deny');
  });
}

test('of a key given twice, the one that the tool gets is decided about', () => {
  const rules = [{ tool: '*', when: { path: 'public/*' }, then: 'allow' }] as const;
  assert.equal(verdict(rules, 'x', '{"path":"public/a","path":"secret"}'), 'deny');
  assert.equal(verdict(rules, 'x', '{"p\\u0061th":"public/a"}'), 'allow');
});

const pattern = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '*', '"', ' '), maxLength: 4 }),
  fc.array(fc.constantFrom('a', 'b', '*', '**'), { maxLength: 3 }),
);
const rule: fc.Arbitrary<Rule> = fc.record(
  {
    tool: fc.constantFrom('*', 'execute_terminal_command', 'mcp__*', 'mcp__a__b'),
    when: fc.dictionary(fc.constantFrom('command', 'argv', 'x.y'), pattern, { minKeys: 1, maxKeys: 2 }),
    then: fc.constantFrom('allow', 'ask', 'deny'),
  },
  { requiredKeys: ['tool', 'then'] },
);
const word = fc.string({ unit: fc.constantFrom('a', 'b', '"', ' '), maxLength: 3 });
const args = fc.record(
  {
    command: word,
    argv: fc.array(word, { maxLength: 3 }),
    x: fc.record({ y: fc.oneof(word, fc.integer(), fc.constant(null)) }),
  },
  { requiredKeys: [] },
);
const tool = fc.constantFrom('execute_terminal_command', 'mcp__a__b', 'workspace_read');
const freedom = { deny: 0, ask: 1, allow: 2 };

test('property: a rule that denies, put first, never allows more; one that asks never more than to ask', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), rule, tool, args, (rules, first, name, call) => {
      const without = freedom[verdict(rules, name, call)];
      assert.ok(freedom[verdict([{ ...first, then: 'deny' }, ...rules], name, call)] <= without);
      assert.ok(
        freedom[verdict([{ ...first, then: 'ask' }, ...rules], name, call)] <= Math.max(without, freedom.ask),
      );
    }),
    { numRuns: 500 },
  );
});

test('property: the order of keys and white space make no difference', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), tool, args, (rules, name, call) => {
      const turned = JSON.stringify(Object.fromEntries(Object.entries(call).toReversed()), null, 3);
      assert.deepEqual(decide(rules, name, turned), decide(rules, name, call));
    }),
  );
});

test('property: what one condition of a rule does not allow, the rule does not allow', () => {
  fc.assert(
    fc.property(rule, tool, args, (found, name, call) => {
      const whole = verdict([{ ...found, then: 'allow' }], name, call, []);
      for (const [path, each] of Object.entries(found.when ?? {})) {
        const part = verdict([{ tool: found.tool, when: { [path]: each }, then: 'allow' }], name, call, []);
        if (whole === 'allow') assert.equal(part, 'allow');
      }
    }),
    { numRuns: 500 },
  );
});

test('errors in a policy name the line', () => {
  const front = [
    'name: a',
    'description: b',
    'policy:',
    '  - { tool: "a b", then: allow }',
    '  - tool: "*"',
    '    when:',
    '      command: "/(a/"',
    '    then: perhaps',
    '  - tool: x',
    '  - { tool: x, then: deny, expires: 1h }',
    '  - { tool: x, then: ask, expires: soon }',
    '  - { tool: x, when: {}, then: ask }',
  ].join('\n');
  assert.throws(
    () => parseRole(`---\n${front}\n---\nDo it.\n`, 'a.md'),
    (error: Error) => {
      assert.match(error.message, /^a\.md:5: policy\.0\.tool: found ".*", expected the name of a tool/m);
      assert.match(error.message, /^a\.md:8: policy\.1\.when\.command: found the end, expected "\)"/m);
      assert.match(error.message, /^a\.md:9: policy\.1\.then: /m);
      assert.match(error.message, /^a\.md:10: policy\.2\.then: /m);
      assert.match(error.message, /^a\.md:12: policy\.4\.expires: found "soon", expected a duration/m);
      assert.match(error.message, /^a\.md:13: policy\.5\.when: found no argument/m);
      return true;
    },
  );
  assert.throws(
    () =>
      parseRole(
        '---\nname: a\ndescription: b\npolicy:\n  - { tool: x, then: deny, expires: 1h }\n---\nx',
        'a.md',
      ),
    { message: /^a\.md:5: policy\.0\.expires: found it in a rule that says deny/ },
  );
});
