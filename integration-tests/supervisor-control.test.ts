import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type StartSettings, serviceStates, startSupervisor, stopSupervisor } from '#supervisor/control.ts';

const dir = mkdtempSync(join(tmpdir(), 'control-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Without any address the orchestrator's configuration is wrong, so that it is given up at once. */
const settings: StartSettings = {
  dir,
  cwd: dir,
  env: { PATH: process.env['PATH'], SCHEMA_REGISTRY_URL: 'http://me:Qw7vT2xK9pL4@127.0.0.1:1' },
  counts: { orchestrator: 1, correlator: 0, worker: 0, projector: 0, statistics: 0, retrier: 0 },
  firstPort: 31_000 + (process.pid % 1000),
  signal: AbortSignal.timeout(30_000),
};

async function givenUp(restarts: number): Promise<void> {
  for (;;) {
    const [service] = await serviceStates(dir);
    if (service?.state === 'given_up' && service.restarts === restarts) return;
    await sleep(20, undefined, { signal: settings.signal });
  }
}

it('starts again what was given up, and everything when what is asked for differs', async () => {
  try {
    assert.equal(await startSupervisor(settings), 'started');
    await givenUp(0);
    const { pid } = JSON.parse(readFileSync(join(dir, 'supervisor.json'), 'utf8')) as { pid: number };
    for (const file of [join(dir, 'supervisor.json'), `/proc/${pid}/cmdline`]) {
      assert.ok(!readFileSync(file, 'utf8').includes('Qw7vT2xK9pL4'), `${file} holds a password`);
    }
    assert.equal(await startSupervisor(settings), 'revived');
    await givenUp(1);
    const otherRoles = { ...settings, env: { ...settings.env, RAVENHELM_ROLES: join(dir, 'roles') } };
    assert.equal(await startSupervisor(otherRoles), 'restarted');
    await givenUp(0);
  } finally {
    assert.equal(await stopSupervisor(dir, settings.signal), true);
  }
});
