/** Arguments that would be something else in a shell, in an option, or in a variable. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
import { Workspace } from '#worker/workspace.ts';
import { terminalCommand } from './execute-terminal-command.ts';
import { probeSandbox, type Sandbox } from './sandbox.ts';
import type { ToolResult } from './tool.ts';

const none: Sandbox = { kind: 'none', why: 'not for this test' };
const machine = await probeSandbox();
const variants: [string, Sandbox][] = [['without a sandbox', none]];
if (machine.kind === 'bubblewrap') variants.push(['in bubblewrap', machine]);

let root: string;
let workspace: Workspace;
let directory: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'ravenhelm-arguments-')));
  workspace = new Workspace(root, 'mission');
  directory = await workspace.ensure();
});
after(() => rm(root, { recursive: true }));

let calls = 0;
async function run(on: Sandbox, args: object): Promise<{ result: ToolResult; stdout: string }> {
  const tool = terminalCommand(defaultSandboxRules, () => Promise.resolve(on));
  const result = await tool.prepare(JSON.stringify(args)).run({
    workspace,
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    outputLimit: 64 * 1024,
    idempotencyKey: `m/t/1/${++calls}`,
    step: 2,
  });
  return {
    result,
    stdout: result.output === '' ? '' : (JSON.parse(result.output) as { stdout: string }).stdout,
  };
}

test('a command line is refused where the role has no shell, and the model is not told of one', () => {
  const tool = terminalCommand(defaultSandboxRules);
  assert.throws(() => tool.prepare('{"command":"id"}'), {
    code: 'invalid_arguments',
    message: /found command, but the role has no shell/,
  });
  assert.doesNotMatch(JSON.stringify(tool.schema), /"command":/);
  assert.match(JSON.stringify(terminalCommand({ ...defaultSandboxRules, shell: true }).schema), /"command":/);
});

for (const [where, on] of variants) {
  describe(where, { concurrency: true }, () => {
    for (const text of [
      '$(touch made)',
      '`touch made`',
      '; touch made',
      '| touch made',
      '&& touch made',
      'a\ntouch made',
      '$HOME',
      '*',
      '~',
      '>made',
      '"\'\\',
      '-n',
      '--',
      '--version',
      '\u001b[2J',
      '\u202e',
    ]) {
      test(`${JSON.stringify(text)} stays what it is`, async () => {
        assert.equal((await run(on, { argv: ['printf', '%s|', text, text] })).stdout, `${text}|${text}|`);
        assert.ok(!existsSync(join(directory, 'made')));
      });
    }

    test('a program that is an option, or a path out of the workspace, is refused', async () => {
      for (const [program, code] of [
        ['-c', 'invalid_arguments'],
        ['--help', 'invalid_arguments'],
        ['../../bin/sh', 'path_refused'],
        ['a/../../x', 'path_refused'],
      ] as const) {
        const { result } = await run(on, { argv: [program, 'touch made'] });
        assert.ok(!result.ok);
        assert.equal(result.code, code, program);
      }
    });

    test('a program of another mission is not there', async () => {
      const { result } = await run(on, { argv: [join(root, 'other-mission', 'program')] });
      assert.ok(!result.ok && result.code === 'tool_failed');
    });

    test('more arguments or longer ones than the system takes are an error, and nothing else', async () => {
      const many = Array.from({ length: 100_000 }, () => 'x');
      await assert.rejects(run(on, { argv: ['true', ...many] }), { code: 'invalid_arguments' });
      const long = Array.from({ length: 40 }, () => 'x'.repeat(99_000));
      const { result } = await run(on, { argv: ['true', ...long] });
      assert.ok(!result.ok);
      assert.match(result.message, /E2BIG|too long/);
      await assert.rejects(run(on, { argv: ['tr\0ue'] }), { code: 'invalid_arguments' });
      await assert.rejects(run(on, { argv: [] }), { code: 'invalid_arguments' });
      const nothing = await run(on, { argv: [''] });
      assert.ok(!nothing.result.ok && nothing.result.code === 'invalid_arguments');
    });

    test('a message shows no control characters, whatever the command wrote', async () => {
      const argv = [
        process.execPath,
        '-e',
        'console.error("\\x1b[2J\\x1b]0;x\\x07no\\0 way\\x9b1m\\r"); process.exit(1)',
      ];
      const { result } = await run(on, { argv });
      assert.ok(!result.ok);
      assert.equal(result.message, 'exit code 1: no way');
    });
  });
}

describe('git, told to run something', { concurrency: true }, () => {
  // git does what its options say: they are arguments of a program that the role may run. What it can reach is bounded.
  for (const [what, argv] of [
    ['core.pager', ['git', '-c', 'core.pager=touch /usr/made; cat /etc/shadow', '-p', 'help']],
    ['core.sshCommand', ['git', '-c', 'core.sshCommand=cat /etc/shadow >&2 #', 'ls-remote', 'ssh://x/y']],
    ['--upload-pack', ['git', 'ls-remote', '--upload-pack=cat /etc/shadow >&2 #', '.']],
    ['an alias', ['git', '-c', 'alias.x=!cat /etc/shadow', 'x']],
    ['ext::', ['git', '-c', 'protocol.ext.allow=always', 'ls-remote', 'ext::cat /etc/shadow']],
  ] as const) {
    test(`by ${what}: ${machine.kind === 'bubblewrap' ? 'it finds nothing (in bubblewrap)' : 'NOT BOUNDED: no sandbox'}`, async () => {
      const enclosed = machine.kind === 'bubblewrap';
      const { result } = await run(machine, { argv: enclosed ? argv : ['true'] });
      if (!enclosed) return assert.match(result.output, /"none: /);
      assert.doesNotMatch(result.output, /root:/);
      assert.match(result.output, /shadow: No such file|remote|fatal|usage/);
      assert.ok(!existsSync('/usr/made'));
    });
  }
});

test('property: whatever the arguments, the program gets exactly these', async () => {
  const argument = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((text) => !text.includes('\0') && text.isWellFormed());
  await fc.assert(
    fc.asyncProperty(fc.array(argument, { maxLength: 8 }), async (given) => {
      const { stdout } = await run(none, { argv: ['printf', '%s\\0', '', ...given] });
      assert.deepEqual(stdout.split('\0').slice(1, -1), given);
    }),
    { numRuns: 30 },
  );
});
