import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { logLine } from './log-line.ts';
import { checkedMissionId, newCommand } from './mission-command.ts';
import { createOutput } from './output.ts';
import { findAddress, placeOf, serviceEnvironment } from './place.ts';
import { howFar, stepLine } from './steps.ts';

const root = resolve(import.meta.dirname, '..');
const { colors } = createOutput({
  stdout: { write: () => true },
  stderr: { write: () => true },
  env: {},
  json: false,
});
const given = {
  KAFKA_BROKERS: 'a:1, b:2',
  SCHEMA_REGISTRY_URL: 'http://r:8081/',
  DATABASE_URL: 'postgres://u:p@d/x',
};

describe('place', () => {
  it('is the project, unless RAVENHELM_HOME says otherwise', () => {
    assert.deepEqual(placeOf({}), { root, home: join(root, '.ravenhelm'), prefix: 'ravenhelm' });
    assert.equal(placeOf({ RAVENHELM_HOME: '/data/x' }).home, '/data/x');
    assert.equal(placeOf({ RAVENHELM_PREFIX: 'team-a' }).prefix, 'team-a');
  });

  it('refuses a prefix that no topic can have', () => {
    assert.throws(() => placeOf({ RAVENHELM_PREFIX: 'Team A' }), { code: 'invalid_configuration' });
  });

  it('takes the addresses of the environment, and hands them to services', async () => {
    const place = placeOf({ RAVENHELM_HOME: '/nowhere' });
    const address = await findAddress(place, given);
    assert.deepEqual(address.brokers, ['a:1', 'b:2']);
    const env = serviceEnvironment(place, address, {});
    assert.equal(env['KAFKA_BROKERS'], 'a:1,b:2');
    assert.equal(env['SCHEMA_REGISTRY_URL'], 'http://r:8081');
    assert.equal(env['RAVENHELM_WORKSPACES'], '/nowhere/workspaces');
  });

  it('says in full what services look for from another folder: theirs is the project', async () => {
    const place = placeOf({ RAVENHELM_HOME: '/nowhere' });
    const address = await findAddress(place, given);
    const env = serviceEnvironment(place, address, { RAVENHELM_ROLES: 'mine', RAVENHELM_WORKSPACES: 'w' });
    assert.equal(env['RAVENHELM_ROLES'], resolve('mine'));
    assert.equal(env['RAVENHELM_WORKSPACES'], resolve('w'));
    assert.equal('RAVENHELM_ROLES' in serviceEnvironment(place, address, {}), false);
  });

  it('says which address is missing when only some are given', async () => {
    const { DATABASE_URL: _, ...some } = given;
    await assert.rejects(findAddress(placeOf({ RAVENHELM_HOME: '/nowhere' }), some), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, 'stack_incomplete_address');
      assert.match(error.message, /not DATABASE_URL/);
      return true;
    });
  });

  it('says that nothing runs when nothing does', async () => {
    const place = placeOf({ RAVENHELM_HOME: '/nowhere' });
    await assert.rejects(findAddress(place, {}), { code: 'services_not_running' });
  });
});

describe('commands', () => {
  it('carry an event id of their own', () => {
    const [one, other] = [1, 2].map(() =>
      newCommand('m', { event_type: 'mission_cancelled', reason: 'r' }, 5),
    );
    assert.notEqual(one?.event_id, other?.event_id);
    assert.equal(one?.correlation_id, 'm');
    assert.equal(one?.reason, 'r');
  });

  it('refuse an id that the orchestrator would not take', () => {
    assert.equal(checkedMissionId('m-1:a_b.c'), 'm-1:a_b.c');
    for (const id of ['', '-x', '../x', 'a b', 'x'.repeat(129)]) {
      assert.throws(() => checkedMissionId(id), { code: 'invalid_arguments' });
    }
  });
});

describe('steps', () => {
  it('tell how far they are', () => {
    const step = { step: 'download', state: 'progress' } as const;
    assert.equal(howFar({ ...step, done: 12_340_000, total: 170e6, unit: 'bytes' }), '12.3 of 170.0 MB');
    assert.equal(howFar({ ...step, done: 3, total: 48 }), '3 of 48');
    assert.equal(howFar(step), '');
  });

  it('are one line each', () => {
    const report = { step: 'kafka', state: 'done', note: 'started' } as const;
    assert.equal(stepLine({ report, since: 0, until: 2500 }, 9000, colors), '✔ kafka  2.5 s  started');
    const under = { step: 'schemas', state: 'progress', done: 3, total: 48 } as const;
    assert.equal(stepLine({ report: under, since: 0, until: null }, 50, colors, '…'), '… schemas  3 of 48');
  });
});

describe('log lines', () => {
  it('show a line of a service for people', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2025-01-01T00:00:01.234Z',
      pid: 1,
      name: 'w',
      a: 1,
      msg: 'hi',
    });
    assert.match(logLine(line, colors), /^\d\d:\d\d:01\.234 warn {2}hi {2}a=1$/);
  });

  it('leave other lines, but for escapes', () => {
    assert.equal(logLine('[INFO] \u001b[2Jx', colors), '[INFO] x');
    assert.equal(logLine('{"not": "ours"}', colors), '{"not": "ours"}');
    assert.equal(logLine('{broken', colors), '{broken');
  });
});
