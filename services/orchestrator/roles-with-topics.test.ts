import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicNames } from '#topics/table.ts';
import { rolesWithTopics } from './roles-with-topics.ts';

const topics = topicNames('p');
const logged: unknown[] = [];
const log = {
  info: (fields: unknown) => void logged.push(fields),
  warn: (fields: unknown) => void logged.push(fields),
};

/** A cluster that lists what it is told to, and counts how often it is asked. */
function cluster(...roles: string[]) {
  const state = { names: roles.map(topics.tasks), asked: 0, broken: false };
  const admin = {
    async listTopics() {
      state.asked += 1;
      if (state.broken) throw new Error('away');
      return [topics.missions, 'other.squad.tasks.x', ...state.names];
    },
    fetchTopicMetadata: ({ topics: [name = ''] }: { topics: string[] }) =>
      Promise.resolve({ topics: [{ name, partitions: [0, 1, 2] }] }),
  };
  return { state, open: () => rolesWithTopics(admin, topics, log) };
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

  it('become fewer when two looks in a row do not find a topic, and more when it is back', async () => {
    const { state, open } = cluster('a', 'b');
    const known = await open();
    const look = async () => {
      for (let call = 0; call < 5; call++) await known.look([]);
    };
    const all = state.names;
    state.names = [topics.tasks('b')];
    await look();
    assert.deepEqual([...known.roles], ['a', 'b'], 'once is not enough');
    state.names = all;
    await look();
    state.names = [topics.tasks('b')];
    await look();
    assert.deepEqual([...known.roles], ['a', 'b'], 'twice, and not in a row');
    await look();
    assert.deepEqual([...known.roles], ['b']);
    assert.deepEqual(logged.at(-1), { code: 'topic_missing', roles: ['a'] });
    state.names = all;
    await look();
    assert.deepEqual([...known.roles], ['b', 'a']);
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
