/** What commands try, and what becomes of it. Each is run for real. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import {
  chmod,
  chown,
  constants,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultSandboxRules, type SandboxRules } from '#roles/sandbox-front-matter.ts';
import { Workspace } from '#worker/workspace.ts';
import { terminalCommand } from './execute-terminal-command.ts';
import { processCount } from './process-group.ts';
import { probeSandbox, type Sandbox } from './sandbox.ts';
import type { ToolResult } from './tool.ts';

const none: Sandbox = { kind: 'none', why: 'this machine has no bubblewrap' };
const machine = await probeSandbox();
const enclosed = machine.kind === 'bubblewrap';
const count = await processCount();
/** No test is skipped: where there is no sandbox it shows what the same command may do then. */
const variant = enclosed ? 'in bubblewrap' : `WITHOUT A SANDBOX: ${machine.why}`;

let root: string;
let workspace: Workspace;
let directory: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'ravenhelm-sandbox-')));
  workspace = new Workspace(root, 'mission');
  directory = await workspace.ensure();
  await mkdir(join(root, 'other-mission'));
  await writeFile(join(root, 'other-mission', 'secret'), 'of another mission');
});
after(() => rm(root, { recursive: true }));

interface Output {
  exit_code: number | null;
  sandbox: string;
  stdout: string;
  stderr: string;
}
interface Ran extends Output {
  result: ToolResult;
}

let calls = 0;
async function run(
  args: { command?: string; argv?: string[]; timeout_ms?: number },
  rules: Partial<SandboxRules> = {},
  on: Sandbox = machine,
): Promise<Ran> {
  const tool = terminalCommand({ ...defaultSandboxRules, shell: true, ...rules }, () => Promise.resolve(on));
  const result = await tool.prepare(JSON.stringify(args)).run({
    workspace,
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    outputLimit: 64 * 1024,
    idempotencyKey: `m/t/1/${++calls}`,
    step: 2,
  });
  const output = (result.output === '' ? {} : JSON.parse(result.output)) as Output;
  return { ...output, result };
}

/** Where there is no sandbox, what would do harm is not run: that the result says so is all there is to show. */
async function saysNone(): Promise<void> {
  if (enclosed) return;
  assert.match((await run({ argv: ['true'] })).sandbox, /^none: /);
}

/** The processes of the machine, by a word in their arguments. */
function alive(mark: string): number {
  let found = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(mark)) found++;
    } catch {
      // Ended meanwhile.
    }
  }
  return found;
}
async function gone(mark: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (alive(mark) === 0) return true;
    await sleep(20);
  }
  return false;
}

test(`where any bubblewrap works, ours does (${variant})`, () => {
  const plainest = ['--unshare-all', '--ro-bind', '/', '/', 'true'];
  assert.equal(spawnSync('bwrap', plainest).status === 0, enclosed, variant);
});

describe('what the result says', { concurrency: true }, () => {
  test(`which sandbox there was (${variant})`, async () => {
    const { sandbox } = await run({ argv: ['true'] });
    assert.match(sandbox, enclosed ? /^bubblewrap/ : /^none: /);
    assert.equal(sandbox === 'bubblewrap', enclosed && count.by !== 'nothing');
  });

  test('that there was none', async () => {
    const { sandbox, result } = await run({ argv: ['true'] }, {}, none);
    assert.ok(result.ok);
    assert.equal(sandbox, 'none: this machine has no bubblewrap');
  });

  test('a role that requires one is refused without', async () => {
    const { result } = await run({ command: 'touch made' }, { required: true }, none);
    assert.ok(!result.ok);
    assert.equal(result.code, 'sandbox_missing');
    assert.ok(!existsSync(join(directory, 'made')));
  });
});

/** All that is in home directories, but for node and the workspace, which are where they are on the machine. */
const inHomes = `find /root /home -not -type d -not -path '${dirname(process.execPath)}/*' -not -path "$PWD/*" | grep .`;
const unseen = [
  ['/etc/shadow', 'cat /etc/shadow'],
  ['/root and the home directories', inHomes],
  ['the keys of the user', `cat ${process.env['HOME'] ?? '/root'}/.ssh/id_rsa`],
  ['the repository', `cat ${join(import.meta.dirname, 'sandbox.ts')} ${process.cwd()}/.env`],
  ['the environment of the worker', `cat /proc/${process.pid}/environ`],
  ['the memory of the worker', `cat /proc/${process.pid}/mem`],
  ['the socket of Docker', 'ls /var/run/docker.sock || ls /run/docker.sock'],
  ['devices of the machine', 'ls /dev/sda || ls /dev/vda || ls /dev/mem || ls /dev/kmsg'],
  ['control groups', 'ls /sys/fs/cgroup'],
] as const;

describe('what is not there', { concurrency: true }, () => {
  for (const [what, command] of unseen) {
    test(`${what} (${variant})`, async () => {
      if (!enclosed) return saysNone();
      const { exit_code, stdout } = await run({ command });
      assert.notEqual(exit_code, 0, stdout);
      assert.equal(stdout, '');
    });
  }

  test(`the workspaces of other missions, and all else outside (${variant})`, async () => {
    if (!enclosed) return saysNone();
    const other = join(root, 'other-mission', 'secret');
    const { stdout, stderr } = await run({
      command: `ls -a ${root}; cat ${other}; echo x >${other}; echo x >${root}/made; touch /usr/x /etc/x /x`,
    });
    assert.equal(stdout, '.\n..\nmission\n');
    assert.equal(await readFile(other, 'utf8'), 'of another mission');
    assert.ok(!existsSync(join(root, 'made')));
    assert.equal(stderr.match(/Read-only file system/g)?.length, 3, stderr);
  });

  test(`processes outside: none to see, to signal or to trace (${variant})`, async () => {
    if (!enclosed) return saysNone();
    const { stdout, stderr } = await run({
      command: `ls -d /proc/[0-9]* | wc -l; kill -0 ${process.pid} ${process.ppid} || echo no such process`,
    });
    assert.ok(Number(stdout.split('\n')[0]) <= 5, stdout);
    assert.match(stdout, /no such process/, stderr);
  });

  test(`variables of the worker: GIT_*, LD_PRELOAD and keys (${variant})`, async () => {
    Object.assign(process.env, { GIT_SSH_COMMAND: 'touch hacked', RAVENHELM_TEST_KEY: 'secret' });
    try {
      const { stdout } = await run({ command: 'env; tr "\\0" "\\n" </proc/1/environ' });
      assert.doesNotMatch(stdout, /^(?:GIT_|LD_|RAVENHELM_TEST|NODE_)/m);
      assert.match(stdout, /^HOME=/m);
    } finally {
      delete process.env['GIT_SSH_COMMAND'];
      delete process.env['RAVENHELM_TEST_KEY'];
    }
  });

  test(`capabilities, and ways to get some (${variant})`, async () => {
    if (!enclosed) return saysNone();
    const { stdout } = await run({
      command: 'grep -E "CapEff|CapBnd|NoNewPrivs" /proc/self/status; unshare -Ur true && echo nested',
    });
    assert.match(stdout, /CapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\n/);
    if (machine.seals) assert.doesNotMatch(stdout, /nested/);
  });
});

describe('the network', { concurrency: true }, () => {
  test(`is shared only with a role that may (${variant})`, async () => {
    const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const program = `require('net').connect(${port}, '127.0.0.1').on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code))`;
    const argv = [process.execPath, '-e', program];
    try {
      assert.equal((await run({ argv })).stdout, enclosed ? 'ECONNREFUSED\n' : 'hello\n');
      assert.equal((await run({ argv }, { network: true })).stdout, 'hello\n');
    } finally {
      server.close();
    }
  });

  test(`the metadata address of clouds is out of reach (${variant})`, async () => {
    if (!enclosed) return saysNone();
    const program = `require('net').connect({ port: 80, host: '169.254.169.254', timeout: 500 }).on('error', (e) => console.log(e.code)).on('connect', () => console.log('reached')).on('timeout', () => process.exit())`;
    const { stdout } = await run({ argv: [process.execPath, '-e', program] });
    assert.equal(stdout, 'ENETUNREACH\n');
  });
});

// Most of the time of these is waiting, so they wait together.
describe('what does not end by itself', { concurrency: true }, () => {
  describe('what is left behind', { concurrency: true, timeout: 20_000 }, () => {
    const leaving = {
      nohup: (mark: string) => `nohup sleep ${mark} >/dev/null 2>&1 &`,
      setsid: (mark: string) => `setsid sleep ${mark} >/dev/null 2>&1 & sleep 0.05`,
      'a double fork': (mark: string) =>
        `(setsid sh -c 'sleep ${mark} & exit' >/dev/null 2>&1 &) ; sleep 0.05`,
    };
    let number = 0;
    for (const [how, command] of Object.entries(leaving)) {
      const mark = `61.${process.pid}${++number}`;
      test(`${how} does not outlive the command (${variant})`, async () => {
        const { result } = await run({ command: command(mark) });
        assert.ok(result.ok, result.output);
        // Without a sandbox, what leaves the group of processes is out of reach.
        if (enclosed || how === 'nohup') assert.ok(await gone(mark));
      });
    }

    test(`a command ends with all of its own at its timeout (${variant})`, async () => {
      const mark = `62.${process.pid}`;
      const began = performance.now();
      const { result } = await run({
        command: `trap '' TERM; setsid sleep ${mark} & sleep ${mark}`,
        timeout_ms: 200,
      });
      assert.ok(!result.ok && result.code === 'timeout');
      assert.ok(performance.now() - began < 5_000);
      if (enclosed) assert.ok(await gone(mark));
    });

    test(`it may end in good order first (${variant})`, async () => {
      const { stdout } = await run({
        command: 'trap "echo tidied; exit" TERM; sleep 60 & wait',
        timeout_ms: 200,
      });
      assert.equal(stdout, 'tidied\n');
    });

    test(`when the worker is killed, its commands die with it, wherever they went (${variant})`, async () => {
      const mark = `63.${process.pid}`;
      const program = `
      import { terminalCommand } from ${JSON.stringify(join(import.meta.dirname, 'execute-terminal-command.ts'))};
      import { Workspace } from ${JSON.stringify(join(import.meta.dirname, '../workspace.ts'))};
      import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
      await terminalCommand({ ...defaultSandboxRules, shell: true })
        .prepare(JSON.stringify({ command: ${JSON.stringify(`${enclosed ? 'setsid ' : ''}sleep ${mark} & sleep ${mark}`)} }))
        .run({ workspace: new Workspace(${JSON.stringify(root)}, 'killed'), signal: new AbortController().signal,
          timeoutMs: 60000, outputLimit: 1000, idempotencyKey: 'k', step: 2 });`;
      const worker: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: 'inherit',
        cwd: import.meta.dirname,
      });
      for (let tries = 0; alive(mark) < 2 && tries < 300; tries++) await sleep(20);
      assert.ok(alive(mark) >= 2, 'the command runs');
      worker.kill('SIGKILL');
      await once(worker, 'exit');
      assert.ok(await gone(mark));
    });
  });

  describe('bombs', { concurrency: true, timeout: 30_000 }, () => {
    const limited = enclosed && count.by !== 'nothing';
    const how = limited
      ? `${variant}, counted by ${count.by}`
      : `NOT LIMITED: ${count.by === 'nothing' ? count.why : variant}; only sixty processes are made`;

    test(`a fork bomb stays small, and ends (${how})`, async () => {
      const mark = `bomb-${process.pid}`;
      const bomb = `:(){ :|:& };: # ${mark}`;
      const sixty = `i=0; while [ $i -lt 60 ]; do sleep 0.3 & i=$((i+1)); done; wait`;
      const argv = limited
        ? ['bash', '-c', bomb.replace(';:', ';:; sleep 5'), mark]
        : ['sh', '-c', sixty, mark];
      const began = performance.now();
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, alive(mark));
      }, 20);
      const { result, stderr } = await run({ argv, timeout_ms: 500 }, { processes: 20 });
      clearInterval(watch);
      if (limited) {
        assert.ok(!result.ok, result.output);
        assert.match(stderr, /fork|Resource temporarily unavailable/);
        // The last arguments are those of bubblewrap and of what it waits in, too.
        assert.ok(most >= 5 && most <= 26, `found ${most} processes at once`);
      }
      assert.ok(performance.now() - began < 6_000);
      assert.ok(await gone(mark));
    });

    test(`a memory bomb ends at the limit (${variant})`, async () => {
      if (!enclosed) return saysNone();
      const program =
        'const kept = []; for (;;) { kept.push(Buffer.alloc(2 ** 24, 1)); require("fs").writeSync(1, kept.length * 16 + "\\n"); }';
      const { result, stdout } = await run({ argv: [process.execPath, '-e', program] }, { memory_mb: 1_024 });
      assert.ok(!result.ok, result.output.slice(0, 500));
      const reached = Number(stdout.trim().split('\n').at(-1));
      assert.ok(reached > 32 && reached < 1_024, `${reached} MiB`);
    });

    test(`/tmp and /dev/shm have an end (${variant})`, async () => {
      if (!enclosed || !machine.seals) return saysNone();
      const { stdout } = await run({ command: 'df -k --output=size /tmp /dev/shm | tail -n +2' });
      for (const size of stdout.trim().split('\n')) assert.equal(Number(size), 256 * 1024);
    });

    test(`processor time ends (${variant})`, async () => {
      if (!enclosed) return saysNone();
      const { result } = await run(
        { command: 'ulimit -t; ulimit -c; while :; do :; done' },
        { cpu_seconds: 1 },
      );
      assert.ok(!result.ok && JSON.parse(result.output).stdout === '1\n0\n', result.output);
    });
  });
});

test(`an ordinary user has the same sandbox (${variant})`, { timeout: 20_000 }, async () => {
  if (!enclosed) return saysNone();
  // Who is not root has seen it in all tests above.
  if (process.getuid?.() !== 0) return;
  // The code may be where that user cannot enter, as in the home of root: it is loaded first, and node itself, which
  // the sandbox has to show, is copied to where the user can.
  const node = join(root, 'node');
  const own = join(root, 'ordinary');
  const program = `
    import { terminalCommand } from ${JSON.stringify(join(import.meta.dirname, 'execute-terminal-command.ts'))};
    import { Workspace } from ${JSON.stringify(join(import.meta.dirname, '../workspace.ts'))};
    import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
    process.chdir('/');
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const command = 'id -u; touch made; cat /etc/shadow; i=0; while [ $i -lt 40 ]; do sleep 0.2 & i=$((i+1)); done';
    const result = await terminalCommand({ ...defaultSandboxRules, shell: true, processes: 16 })
      .prepare(JSON.stringify({ command }))
      .run({ workspace: new Workspace(${JSON.stringify(own)}, 'm'), signal: new AbortController().signal,
        timeoutMs: 5000, outputLimit: 10000, idempotencyKey: 'k', step: 2 });
    console.log(result.output);`;
  await chmod(root, 0o755);
  await mkdir(node);
  await copyFile(process.execPath, join(node, 'node'), constants.COPYFILE_FICLONE);
  await mkdir(own);
  await chown(own, 65_534, 65_534);
  const child = spawn(join(node, 'node'), ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child, 'close');
  const output = JSON.parse(said) as Output;
  assert.equal(output.sandbox, 'bubblewrap');
  assert.equal(output.stdout, '65534\n');
  assert.match(output.stderr, /shadow: No such file/);
  assert.match(output.stderr, /[Cc]annot fork/);
  assert.ok(existsSync(join(own, 'm', 'made')));
});
