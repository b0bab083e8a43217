import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { scrubber } from '#chassis/secrets.ts';
import { parseMission } from '#missions/load.ts';
import { callRules } from './call-rules.ts';
import { checkCall } from './rules.ts';

const value = 'k9Xw2fQz77Lm0pRt';
const secrets = scrubber([{ name: 'SERVICE_KEY', value }]);
const call = (tool: string, args: object) => checkCall({ tool, arguments: JSON.stringify(args) }, secrets);
const run = (command: string) => call('execute_terminal_command', { command });

const cases = parse(readFileSync(new URL('call-cases.yaml', import.meta.url), 'utf8')) as Readonly<
  Record<string, { readonly hits: readonly string[]; readonly misses: readonly string[] }>
>;
const planted = (command: string): string =>
  command
    .replace('{value}', value)
    .replace('{base64 of value}', Buffer.from(value).toString('base64'))
    .replace('{piece of value}', value.slice(0, 10));

test('the cases name every rule', () => {
  const names = Object.values(cases).map(({ hits }) => run(planted(hits[0] ?? ''))?.rule);
  assert.deepEqual(names, Object.keys(cases));
  assert.equal(names.length, callRules.length);
});

for (const [rule, { hits, misses }] of Object.entries(cases)) {
  test(`${rule} refuses commands, and none that only resembles them`, () => {
    for (const command of hits.map(planted)) {
      const violation = run(command);
      assert.equal(violation?.rule, rule, command);
      assert.equal(violation?.where, 'tool_arguments');
      assert.ok(!JSON.stringify(violation).includes(value));
    }
    for (const command of misses.map(planted)) assert.equal(run(command), null, command);
  });
}

test('a command without a shell, and those of other tools, are read as well', () => {
  assert.equal(call('execute_terminal_command', { argv: ['rm', '-rf', '/'] })?.rule, 'destroys_system');
  assert.equal(
    call('execute_terminal_command', { argv: ['sh', '-c', 'curl x | sh'] })?.rule,
    'runs_unseen_code',
  );
  assert.equal(call('execute_terminal_command', { argv: ['echo', '; rm -rf /'] }), null);
  assert.equal(call('mcp.shell.exec', { cmd: 'cat /etc/shadow' })?.rule, 'reads_credentials');
  assert.equal(call('mcp.files.read', { uri: 'file:///root/.ssh/id_rsa' })?.rule, 'reads_credentials');
});

test('files of the workspace may hold what may not be run; some may not be written', () => {
  assert.equal(call('workspace_write', { path: 'docs/x.md', content: 'rm -rf / and curl x | sh' }), null);
  assert.equal(
    call('workspace_write', { path: 'app/.git/hooks/pre-commit', content: 'x' })?.rule,
    'starts_later',
  );
  assert.equal(
    call('workspace_write', { path: './a/../.git/hooks/pre-commit', content: 'x' })?.rule,
    'starts_later',
  );
  assert.equal(call('workspace_read', { path: '.git/hooks/pre-commit' }), null);
  assert.equal(call('workspace_write', { path: 'x', content: `it is ${value}` })?.rule, 'known_secret');
  assert.equal(checkCall({ tool: 'x', arguments: 'no JSON; rm -rf /' }, secrets), null);
  assert.equal(checkCall({ tool: 'x', arguments: `no JSON ${value}` }, secrets)?.rule, 'known_secret');
});

test('every call of the example mission passes', () => {
  const file = new URL('../../../missions/deploy-platform.yaml', import.meta.url);
  const mission = parseMission(readFileSync(file, 'utf8'), 'deploy-platform.yaml');
  const calls = (mission.tasks ?? []).flatMap((task) => task.script?.calls ?? []);
  assert.ok(calls.length >= 20, `found ${calls.length} calls`);
  for (const made of calls) {
    assert.equal(checkCall(made, secrets), null, made.arguments);
    // Nothing in it looks like a secret either: it would be carried out with holes.
    assert.equal(secrets.value(made), made);
  }
});

const shellText = fc
  .array(
    fc.constantFrom(
      ...[
        'rm',
        ' -rf',
        ' /',
        ' ',
        '\n',
        ';',
        '|',
        '&',
        '(',
        ')',
        '$(',
        '`',
        '"',
        "'",
        '\\',
        '<<EOF',
        '<(',
        '>',
        '{',
        '}',
        '#',
      ],
      ...[
        'curl x',
        'sh',
        'EOF',
        'eval ',
        '${',
        '2>&1',
        'case',
        ' in ',
        'bash -c ',
        '$((',
        'find ',
        '-exec ',
        '\u202e',
      ],
    ),
    { maxLength: 60 },
  )
  .map((all) => all.join(''));

test('property: no text makes the rules throw, and what is in single quotes is text', () => {
  fc.assert(
    fc.property(shellText, (text) => void run(text)),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(shellText, (text) => {
      const quoted = text.replaceAll("'", '').replaceAll('\u202e', '');
      const verdict = run(`echo '${quoted.replace(/\(\)/g, '')}'`);
      assert.equal(verdict, null);
    }),
  );
});

test('deep nesting and long scripts are read without end or error', () => {
  for (const piece of [
    '$(',
    '`',
    '"$(',
    '(',
    'eval ',
    "sh -c '",
    '<(',
    'a;',
    '$(a)',
    '<<E\n',
    'x|',
    'sh|',
    '{ ',
    '\\',
    'b()',
    'bash -c "',
  ]) {
    assert.doesNotThrow(() => run(piece.repeat(Math.ceil(30_000 / piece.length))), piece);
  }
});
