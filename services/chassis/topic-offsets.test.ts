import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicOffsets } from './topic-offsets.ts';

const ends = [{ partition: 0, offset: '7', low: '0', high: '7' }];

/** An admin client that fails so often before it answers. */
function failing(times: number, type: string) {
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    fetchTopicOffsets() {
      asked += 1;
      return asked <= times
        ? Promise.reject(Object.assign(new Error('not the leader'), { type }))
        : Promise.resolve(ends);
    },
  };
}

describe('where a topic ends', () => {
  it('is asked again until the partition has a leader', async () => {
    const admin = failing(2, 'NOT_LEADER_FOR_PARTITION');
    assert.deepEqual(await topicOffsets(admin, 'steps', { pause: 0 }), ends);
    assert.equal(admin.asked, 3);
  });

  it('is asked no longer than that takes', async () => {
    const admin = failing(Number.POSITIVE_INFINITY, 'LEADER_NOT_AVAILABLE');
    const wait = { within: 5, pause: 1 };
    await assert.rejects(topicOffsets(admin, 'steps', wait), { type: 'LEADER_NOT_AVAILABLE' });
  });

  it('is not asked again when the broker refuses', async () => {
    const admin = failing(1, 'TOPIC_AUTHORIZATION_FAILED');
    await assert.rejects(topicOffsets(admin, 'steps', { pause: 0 }), /not the leader/);
    assert.equal(admin.asked, 1);
  });
});
