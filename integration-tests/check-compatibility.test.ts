import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { schemaFolder } from '#schemas/files.ts';

const script = join(import.meta.dirname, '../scripts/check-compatibility.ts');
const event = 'schemas/events/task_completed.avsc';
// Nothing of the person's own git settings: no signing, no hooks.
const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };

describe('check-compatibility', () => {
  let repo = '';
  const git = (...args: string[]) => execFileSync('git', ['-C', repo, ...args], { env, stdio: 'pipe' });
  const commit = () =>
    git('-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '-am', 'change');
  const check = (...args: string[]) => {
    const done = spawnSync(process.execPath, [script, '--repo', repo, ...args], { env, encoding: 'utf8' });
    return { status: done.status, said: done.stdout + done.stderr };
  };
  /** Changes the schema of one event in the working tree; `change` gets the fields of its payload. */
  const edit = (change: (fields: Field[]) => Field[]) => {
    const schema = JSON.parse(original) as { fields: { name: string; type: { fields: Field[] } }[] };
    const payload = schema.fields.find(({ name }) => name === 'payload');
    assert.ok(payload);
    payload.type.fields = change(payload.type.fields);
    writeFileSync(join(repo, event), JSON.stringify(schema));
  };
  let original = '';

  before(() => {
    repo = mkdtempSync(join(tmpdir(), 'ravenhelm-schemas-'));
    for (const kind of ['events', 'missions', 'state']) {
      cpSync(join(schemaFolder, kind), join(repo, 'schemas', kind), { recursive: true });
    }
    original = readFileSync(join(repo, event), 'utf8');
    git('init', '-q', '-b', 'main');
  });
  after(() => rmSync(repo, { recursive: true, force: true }));

  it('says that there is nothing to compare with yet', () => {
    const none = check();
    assert.equal(none.status, 0, none.said);
    assert.match(none.said, /^Not checked: there is no commit/);
    git('add', '.');
    commit();
    assert.equal(check('--base', 'no-such-thing').status, 2);
  });

  it('takes a new field with a default, and the loss of one', () => {
    edit((fields) => [
      ...fields.filter(({ name }) => name !== 'result'),
      { name: 'later', type: 'string', default: '' },
    ]);
    const same = check('--base', 'HEAD');
    assert.equal(same.status, 0, same.said);
    assert.match(same.said, /^\d+ schemas are compatible/);
  });

  it('refuses what neither can read, with file, field and reason', () => {
    edit((fields) => fields.filter(({ name }) => name !== 'task_id'));
    rmSync(join(repo, 'schemas/events/task_failed.avsc'));
    const refused = check('--base', 'HEAD');
    git('checkout', '-q', 'schemas/events/task_failed.avsc');
    assert.equal(refused.status, 1, refused.said);
    assert.deepEqual(refused.said.trim().split('\n'), [
      'schemas/events/task_completed.avsc: TaskCompleted.payload.task_id is gone, but had no default: older services cannot read without it',
      'schemas/events/task_failed.avsc: TaskFailed is gone, but records of it stay in the topics',
    ]);
  });

  it('compares with the commit before, and on a branch with where it left main', () => {
    edit((fields) => fields.filter(({ name }) => name !== 'task_id'));
    commit();
    assert.equal(check().status, 1);
    git('update-ref', 'refs/remotes/origin/main', 'HEAD~1');
    git('switch', '-q', '-c', 'branch');
    git('-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '--allow-empty', '-m', 'more');
    assert.equal(check().status, 1, 'HEAD~1 has the same schemas, main has not');
    git('update-ref', 'refs/remotes/origin/main', 'HEAD');
    assert.equal(check().status, 0);
  });
});

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}
