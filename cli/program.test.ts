import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { AclBinding } from '#topics/acls.ts';
import { commands } from './program.ts';

const home = mkdtempSync(join(tmpdir(), 'ravenhelm-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));

const bin = join(import.meta.dirname, 'ravenhelm.js');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command in a process of its own, on a machine where nothing runs. */
const ravenhelm = (...args: string[]): Promise<Ended> => ravenhelmWith({}, ...args);

function ravenhelmWith(more: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
  const { KAFKA_BROKERS: _, SCHEMA_REGISTRY_URL: __, DATABASE_URL: ___, ...env } = process.env;
  return new Promise((done) => {
    const options = { env: { ...env, RAVENHELM_HOME: home, ...more }, cwd: home };
    execFile(process.execPath, [bin, ...args], options, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

/** A folder with one role file. */
function loneRole(): string {
  const folder = join(home, 'lone-role');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'lone_agent.md'), '---\nname: lone_agent\ndescription: alone\n---\nDo it.\n');
  return folder;
}

describe('ravenhelm', { concurrency: 2 }, () => {
  it('lists its commands', async () => {
    const { code, stdout } = await ravenhelm('--help');
    assert.equal(code, 0);
    for (const { name } of commands(() => async () => undefined).commands.map((each) => ({
      name: each.name(),
    }))) {
      assert.match(stdout, new RegExp(`^ {2}${name}\\b`, 'm'));
    }
  });

  it('exits 2 and says what is wrong with the usage', async () => {
    const unknown = await ravenhelm('runn', '--json');
    assert.equal(unknown.code, 2);
    assert.equal(unknown.stdout, '');
    const { error } = JSON.parse(unknown.stderr) as { error: { code: string; message: string } };
    assert.equal(error.code, 'invalid_arguments');
    assert.match(error.message, /unknown command 'runn'.*Did you mean run\?/);
  });

  it('tells that nothing runs, in the shape that scripts read', async () => {
    const { code, stdout } = await ravenhelm('status', '--json');
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), {
      brokers: null,
      registry: null,
      database: null,
      console: null,
      services: [],
    });
  });

  it('says what to do when a command needs what does not run', async () => {
    const { code, stdout, stderr } = await ravenhelm('missions');
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^error services_not_running: .*\n {2}`ravenhelm up`/);
  });

  it('says what `cost` expects before it asks for a database', async () => {
    const [neither, other, when] = await Promise.all([
      ravenhelm('cost'),
      ravenhelm('cost', '--by', 'colour'),
      ravenhelm('cost', '--by', 'day', '--since', 'yesterday'),
    ]);
    assert.deepEqual([neither.code, other.code, when.code], [2, 2, 2]);
    assert.match(neither.stderr, /found neither a mission nor --by/);
    assert.match(other.stderr, /Allowed choices are task, role, model, day/);
    assert.match(when.stderr, /--since: found "yesterday", expected 90m/);
  });

  it('has a task topic for each role of RAVENHELM_ROLES, and for no other', async () => {
    const { stdout } = await ravenhelmWith({ RAVENHELM_ROLES: loneRole() }, 'topics', '--json');
    const topics = JSON.parse(stdout) as { name: string }[];
    const tasks = topics.flatMap(({ name }) => (name.includes('.tasks.') ? [name] : []));
    assert.deepEqual(tasks, ['ravenhelm.squad.tasks.lone_agent']);
  });

  it('tells what each service has to be allowed, by any name', async () => {
    const { stdout } = await ravenhelm('topics', 'acls', '--json', '--principal-prefix', 'User:rh-');
    const bindings = JSON.parse(stdout) as AclBinding[];
    const ledger = bindings.filter(({ name }) => name === 'ravenhelm.squad.coordination');
    const writers = ledger.filter(({ operations }) => operations.includes('write'));
    assert.deepEqual(
      writers.map(({ principal }) => principal),
      ['User:rh-orchestrator'],
    );
    assert.ok(bindings.some(({ principal }) => principal === 'User:rh-worker-cert_agent'));
  });

  it('finds all errors of a mission file before it asks for a broker', async () => {
    writeFileSync(
      join(home, 'bad.yaml'),
      'name: x\ntasks:\n  - role: nobody\n  - role: cert_agent\n    needs: [zz]\n',
    );
    const { code, stderr } = await ravenhelm('run', 'bad.yaml');
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^error invalid_mission: bad\.yaml:3:5: tasks\[0\]\.role: found nobody, expected one of/,
    );
    assert.match(stderr, /^bad\.yaml:5:13: tasks\[1\]\.needs\[0\]: found zz/m);
  });

  it('takes a word that is no file for a slip, not for a brief', async () => {
    const { code, stderr } = await ravenhelm('submit', 'mision.yaml');
    assert.equal(code, 2);
    assert.match(stderr, /found no file mision\.yaml/);
  });
});
