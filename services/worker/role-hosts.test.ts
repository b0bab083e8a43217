import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Failure } from '#chassis/failures.ts';
import { openLog } from '#chassis/log.ts';
import { RoleHosts } from './role-hosts.ts';

type Survives = (failure: Failure) => Promise<boolean>;

async function hosting(t: TestContext, topics: Set<string>) {
  const stopped: string[] = [];
  const survives = new Map<string, Survives>();
  const host = (role: string) => ({
    role,
    topic: `tasks.${role}`,
    start: (asked: Survives) => {
      if (!topics.has(`tasks.${role}`)) return Promise.reject(new Failure('topic_missing', role));
      survives.set(role, asked);
      return Promise.resolve({
        ready: () => true,
        reason: () => '',
        pump() {},
        stop: async () => void stopped.push(role),
      });
    },
  });
  const list = () => Promise.resolve([...topics]);
  const hosts = await RoleHosts.open([host('a'), host('b')], list, openLog('test', 'silent'));
  t.after(() => hosts.stop(0));
  const hosted = () => ['a', 'b'].filter((role) => hosts.consumer(role) !== undefined);
  return { hosts, hosted, stopped, survives };
}

test('a role whose topic is missing is left out, and hosted once it is there', async (t) => {
  const topics = new Set(['tasks.a']);
  const { hosts, hosted } = await hosting(t, topics);
  assert.deepEqual(hosted(), ['a']);
  topics.add('tasks.b');
  await hosts.look();
  assert.deepEqual(hosted(), ['a', 'b']);
});

test('a worker none of whose roles has a topic does not start', async (t) => {
  await assert.rejects(hosting(t, new Set()), { code: 'topic_missing' });
});

test('a topic that is deleted ends its role and no other', async (t) => {
  const topics = new Set(['tasks.a', 'tasks.b']);
  const { hosts, hosted, stopped, survives } = await hosting(t, topics);
  const failure = new Failure('consumer_crashed', 'unknown topic');
  assert.equal(await survives.get('a')?.(failure), false, 'its topic is there: it is something else');
  topics.delete('tasks.a');
  assert.equal(await survives.get('a')?.(failure), true);
  assert.deepEqual(hosted(), ['b']);
  assert.deepEqual(stopped, ['a']);
  topics.add('tasks.a');
  await hosts.look();
  assert.deepEqual(hosted(), ['a', 'b']);
});

test('a deleted topic is noticed by two looks in a row', async (t) => {
  const topics = new Set(['tasks.a', 'tasks.b']);
  const { hosts, hosted } = await hosting(t, topics);
  topics.delete('tasks.b');
  await hosts.look();
  assert.deepEqual(hosted(), ['a', 'b']);
  await hosts.look();
  assert.deepEqual(hosted(), ['a']);
});
