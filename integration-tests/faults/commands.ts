/** What a person would run after a bad day: both commands, as processes of their own, and the rows in PostgreSQL. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { schemaName } from '#projector/schema-name.ts';
import type { Swarm } from './swarm.ts';

const bin = resolve(import.meta.dirname, '../../cli/ravenhelm.js');
const caughtUpWithinMs = 120_000;

export async function checkCommands(swarm: Swarm, signal: AbortSignal): Promise<void> {
  swarm.say('ravenhelm verify --all');
  await check(swarm, ['verify', '--all'], signal);
  swarm.say('ravenhelm rebuild --check');
  await untilProjected(swarm, signal);
  await check(swarm, ['rebuild', '--check'], signal);
}

async function check(swarm: Swarm, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: swarm.env,
    cwd: swarm.settings.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const code = new Promise<number | null>((done, failed) => {
    child.once('exit', done);
    child.once('error', failed);
  });
  const [ended, out, err] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  if (ended !== 0)
    swarm.violations.add(
      'wrong',
      args.join(' '),
      `exit code ${ended}:\n${out.slice(-3000)}${err.slice(-1000)}`,
    );
}

/** All facts that the checker has seen are rows. */
async function untilProjected(swarm: Swarm, signal: AbortSignal): Promise<void> {
  const client = new pg.Client(swarm.stack.database);
  await client.connect();
  let rows = 0;
  try {
    for (
      const late = Date.now() + caughtUpWithinMs;
      Date.now() < late;
      await sleep(300, undefined, { signal })
    ) {
      const found = await client.query<{ count: string }>(
        `select count(*) from "${schemaName('faults')}".timeline`,
      );
      rows = Number(found.rows[0]?.count);
      if (rows === swarm.checker.facts) return;
    }
  } finally {
    await client.end();
  }
  const what = `found ${rows} rows of the timeline, expected ${swarm.checker.facts}, one for each fact`;
  swarm.violations.add(rows < swarm.checker.facts ? 'lost' : 'duplicated', 'projection', what);
}
