import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from '#chassis/log.ts';
import { identityOf } from '#local/processes.ts';
import { serviceStates } from '#supervisor/control.ts';
import { readSupervisorFile, type ServiceRecord } from '#supervisor/state-file.ts';
import { type SupervisorSettings, supervise } from '#supervisor/supervisor.ts';

const dir = mkdtempSync(join(tmpdir(), 'supervisor-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const script = (name: string, text: string): string => {
  const path = join(dir, `${name}.mjs`);
  writeFileSync(path, text);
  return path;
};

/** Answers as a service does; drains on SIGTERM. */
const good = script(
  'good',
  `import { createServer } from 'node:http';
   createServer((_, response) => response.end('ok')).listen(Number(process.env.HEALTH_PORT), '127.0.0.1');
   process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });`,
);
const stubborn = script(
  'stubborn',
  `import { createServer } from 'node:http';
   process.on('SIGTERM', () => {});
   createServer((_, response) => response.end('ok')).listen(Number(process.env.HEALTH_PORT), '127.0.0.1');`,
);
const silent = script('silent', `setInterval(() => {}, 1000);`);
/** Is ready, and ends right after it has said so. */
const broken = script(
  'broken',
  `import { createServer } from 'node:http';
   console.error('I am broken');
   const last = ({ url }) => url === '/ready' && setTimeout(() => process.exit(1), 50);
   createServer((request, response) => response.end('ok', () => last(request)))
     .listen(Number(process.env.HEALTH_PORT), '127.0.0.1');`,
);
/** Ends before it is ready, as a service does whose brokers are away, until the file is there. */
const brokersBack = join(dir, 'brokers-back');
const waiting = script(
  'waiting',
  `import { existsSync } from 'node:fs';
   import { createServer } from 'node:http';
   if (!existsSync(${JSON.stringify(brokersBack)})) process.exit(1);
   createServer((_, response) => response.end('ok')).listen(Number(process.env.HEALTH_PORT), '127.0.0.1');`,
);

/** Ports of its own for each test, and for each run of them. */
let ports = 20_000 + (process.pid % 64) * 160;
const nextPort = () => {
  ports += 40;
  return ports;
};

const settings = (place: string, services: Record<string, string>): SupervisorSettings => ({
  dir: join(dir, place),
  cwd: dir,
  services: Object.entries(services).map(([name, main]) => ({ name, main, args: [] })),
  env: process.env,
  settings: '',
  log: openLog('supervisor', 'silent'),
  firstPort: nextPort(),
  policy: { initialMs: 10, mostMs: 20, healthyMs: 60_000, budget: 2, windowMs: 60_000 },
  watch: { startingEveryMs: 10, readyEveryMs: 20 },
});

async function until<T>(
  what: string,
  ask: () => T | null | undefined | false | Promise<T | null | false>,
): Promise<T> {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await sleep(10)) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
  }
  throw new Error(`waited in vain for ${what}`);
}

const logOf = (place: string, name: string) => readFileSync(join(dir, place, 'logs', `${name}.log`), 'utf8');

describe('supervisor', { concurrency: true }, () => {
  it('starts a killed service again, gives a broken one up, and goes on with the others', async () => {
    const supervisor = await supervise(settings('respawn', { good, broken }));
    const service = (name: string): ServiceRecord | undefined =>
      supervisor.record().services.find((record) => record.name === name);
    try {
      const first = await until('ready', () => service('good')?.state === 'ready' && service('good'));
      process.kill(first.pid ?? 0, 'SIGKILL');
      const second = await until('another process', () => {
        const now = service('good');
        return now?.state === 'ready' && now.pid !== first.pid && now;
      });
      assert.equal(second.restarts, 1);
      assert.equal(second.last_end, 'SIGKILL');
      const gaveUp = await until(
        'given up',
        () => service('broken')?.state === 'given_up' && service('broken'),
      );
      assert.equal(gaveUp.restarts, 2);
      assert.equal(gaveUp.last_end, 'exit code 1');
      assert.match(logOf('respawn', 'broken'), /^(I am broken\n){3}$/);
      assert.equal(service('good')?.state, 'ready');
    } finally {
      await supervisor.stop(5000);
    }
    const file = await readSupervisorFile(join(dir, 'respawn'));
    assert.deepEqual(
      file?.services.map(({ name, state, pid }) => ({ name, state, pid })),
      [
        { name: 'good', state: 'stopped', pid: null },
        { name: 'broken', state: 'given_up', pid: null },
      ],
    );
    assert.match(logOf('respawn', 'good'), /drained/);
  });

  it('tries what was never ready until it can start', async () => {
    const supervisor = await supervise(settings('outage', { waiting }));
    const service = () => supervisor.record().services[0];
    try {
      await until('more ends than the budget', () => (service()?.restarts ?? 0) > 4);
      assert.notEqual(service()?.state, 'given_up');
      writeFileSync(brokersBack, '');
      await until('ready', () => service()?.state === 'ready');
    } finally {
      await supervisor.stop(5000);
    }
  });

  it('starts again what it has given up when it is asked to, and leaves the others alone', async () => {
    const supervisor = await supervise(settings('revive', { broken, good }));
    const [lost, other] = [() => supervisor.record().services[0], () => supervisor.record().services[1]];
    try {
      await until('given up', () => lost()?.state === 'given_up' && other()?.state === 'ready');
      const before = other()?.pid;
      supervisor.revive();
      assert.equal(lost()?.state, 'starting');
      await until('given up once more, after a whole budget', () => {
        const now = lost();
        return now?.state === 'given_up' && now.restarts === 5;
      });
      assert.equal(other()?.pid, before);
    } finally {
      await supervisor.stop(5000);
    }
  });

  it('kills what does not drain before the deadline', async () => {
    const supervisor = await supervise(settings('stubborn', { stubborn, good }));
    const pids = await until('both', () => {
      const now = supervisor.record().services;
      return now.every(({ state }) => state === 'ready') && now.map(({ pid }) => pid);
    });
    await supervisor.stop(700);
    assert.equal(supervisor.record().services[0]?.last_end, 'SIGKILL');
    assert.equal(supervisor.record().services[1]?.last_end, 'exit code 0');
    for (const pid of pids) assert.equal(await identityOf(pid ?? 0), null);
  });

  it('kills a service that says nothing', async () => {
    const supervisor = await supervise({
      ...settings('silent', { silent }),
      watch: { startingEveryMs: 10, startMs: 100 },
    });
    try {
      await until('a restart', () => (supervisor.record().services[0]?.restarts ?? 0) > 0);
      assert.equal(supervisor.record().services[0]?.last_end, 'SIGKILL');
    } finally {
      await supervisor.stop(0);
    }
  });

  it('leaves no service behind when it is killed itself', async () => {
    const place = join(dir, 'killed');
    const parent = script(
      'parent',
      `import { supervise } from ${JSON.stringify(new URL('../services/supervisor/supervisor.ts', import.meta.url).href)};
       import { openLog } from ${JSON.stringify(new URL('../services/chassis/log.ts', import.meta.url).href)};
       const services = [{ name: 'good', main: ${JSON.stringify(good)}, args: [] }];
       await supervise({ dir: ${JSON.stringify(place)}, cwd: '.', services, env: process.env, settings: '',
         log: openLog('supervisor', 'silent'), firstPort: ${nextPort()}, watch: { startingEveryMs: 10 } });`,
    );
    const supervisor = spawn(process.execPath, [parent], { stdio: 'ignore' });
    const pid = await until('ready', async () => {
      const service = (await readSupervisorFile(place))?.services[0];
      return service?.state === 'ready' && service.pid;
    });
    supervisor.kill('SIGKILL');
    await until('its end', async () => (await identityOf(pid)) === null);
    assert.match(readFileSync(join(place, 'logs', 'good.log'), 'utf8'), /drained/);
    assert.deepEqual(await serviceStates(place), [
      { name: 'good', pid: null, state: 'stopped', restarts: 0 },
    ]);
  });
});
