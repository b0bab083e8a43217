import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicNames } from '#topics/table.ts';
import { goneAfterMs, rolesWithTopics } from './roles-with-topics.ts';

const topics = topicNames('p');
const logged: unknown[] = [];
const log = {
  info: (fields: unknown) => void logged.push(fields),
  warn: (fields: unknown) => void logged.push(fields),
};

/** A cluster that lists what it is told to, and counts how often it is asked. */
function cluster(...roles: string[]) {
  const state = { names: roles.map(topics.tasks), asked: 0, broken: false, empty: false, now: 1_000 };
  const admin = {
    async listTopics() {
      state.asked += 1;
      if (state.broken) throw new Error('away');
      if (state.empty) return [];
      return [topics.missions, 'other.squad.tasks.x', ...state.names];
    },
    fetchTopicMetadata: ({ topics: [name = ''] }: { topics: string[] }) =>
      Promise.resolve({ topics: [{ name, partitions: [0, 1, 2] }] }),
  };
  return { state, open: () => rolesWithTopics(admin, topics, log, () => state.now) };
}

describe('the roles that have a topic', () => {
  it('are those of this namespace', async () => {
    const known = await cluster('a', 'b').open();
    assert.deepEqual([...known.roles], ['a', 'b']);
    assert.equal(known.partitions, 3);
    await assert.rejects(cluster().open(), { code: 'topic_missing' });
  });

  it('become more while it is looked every now and then', async () => {
    const { state, open } = cluster('a');
    const known = await open();
    state.names.push(topics.tasks('b'));
    for (let call = 1; call < 5; call++) await known.look([]);
    assert.equal(state.asked, 1, 'not at each call');
    await known.look([]);
    assert.deepEqual([...known.roles], ['a', 'b']);
    assert.deepEqual(logged.at(-1), { roles: ['b'] });
  });

  it('get nothing while their topic is not listed, and are gone when that lasts', async () => {
    const { state, open } = cluster('a', 'b');
    const known = await open();
    state.names = [topics.tasks('a')];
    known.lookSoon();
    await known.look([]);
    assert.deepEqual([known.has('a'), known.has('b')], [true, false]);
    assert.deepEqual([known.roles.has('b'), known.isGone('b')], [true, false], 'a broker may be coming up');
    state.now += goneAfterMs - 1;
    await known.look([]);
    assert.equal(known.isGone('b'), false);
    state.now += 1;
    await known.look([]);
    assert.deepEqual([[...known.roles], known.isGone('b')], [['a'], true]);
    assert.deepEqual(logged.at(-1), { roles: ['b'] });
    state.names.push(topics.tasks('b'));
    known.lookSoon();
    await known.look([]);
    assert.deepEqual([known.has('b'), known.isGone('b'), known.roles.has('b')], [true, false, true]);
  });

  it('that were never seen are gone only after as long a time', async () => {
    const { state, open } = cluster('a');
    const known = await open();
    assert.deepEqual([known.has('x'), known.isGone('x')], [false, false]);
    state.now += goneAfterMs;
    known.lookSoon();
    await known.look([]);
    assert.equal(known.isGone('x'), true);
  });

  it('are not gone because a broker lists nothing, or cannot be asked', async () => {
    const { state, open } = cluster('a');
    const known = await open();
    for (const fault of ['empty', 'broken'] as const) {
      state[fault] = true;
      state.now += goneAfterMs;
      known.lookSoon();
      await known.look([]);
      assert.deepEqual([known.has('a'), known.isGone('a')], [true, false]);
      state[fault] = false;
    }
  });

  it('are looked for at once when somebody runs a role that is new, but only once', async () => {
    const { state, open } = cluster('a');
    const known = await open();
    await known.look(['a']);
    assert.equal(state.asked, 1);
    state.names.push(topics.tasks('b'));
    await known.look(['a', 'b', 'correlator']);
    assert.ok(known.roles.has('b'));
    await known.look(['a', 'b', 'correlator']);
    assert.equal(state.asked, 2);
  });

  it('stay what they were while the cluster does not answer, and are found after it', async () => {
    const { state, open } = cluster('a');
    const known = await open();
    state.names.push(topics.tasks('b'));
    state.broken = true;
    await known.look(['b']);
    assert.deepEqual([...known.roles], ['a']);
    state.broken = false;
    await known.look(['b']);
    assert.deepEqual([...known.roles], ['a', 'b']);
  });
});
