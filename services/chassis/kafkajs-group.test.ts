import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import './kafkajs.ts';

// kafkajs's own class, as the services have it: mended.
const ConsumerGroup = createRequire(import.meta.url)('kafkajs/src/consumer/consumerGroup') as {
  readonly prototype: Record<string, (this: Group, ...given: unknown[]) => Promise<void>>;
};

/** What of a group these methods touch. */
class Group {
  groupId = 'g';
  coordinator: unknown = { nodeId: 1 };
  offsetManager = { coordinator: this.coordinator };
  joins = 0;
  refreshed = 0;
  logger = { debug: () => {}, warn: () => {}, error: () => {} };
  cluster = {
    refreshMetadata: async () => void (this.refreshed += 1),
    findGroupCoordinator: async () => ({ nodeId: 2 }),
    removeBroker: () => assert.fail('the broker was taken out of the pool'),
  };
  joinAndSync = async () => void (this.joins += 1);

  call(method: string, ...given: unknown[]): Promise<void> {
    const found = ConsumerGroup.prototype[method];
    assert.ok(found);
    return found.call(this, ...given);
  }
}

const protocol = (type: string, retriable: boolean) => Object.assign(new Error(type), { type, retriable });
const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { name: 'KafkaJSConnectionError' });

describe('a fetch that fails', () => {
  for (const error of [
    protocol('NOT_LEADER_FOR_PARTITION', true),
    protocol('FENCED_LEADER_EPOCH', true),
    refused(),
    Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError' }),
    Object.assign(new Error('timed out'), { name: 'KafkaJSRequestTimeoutError' }),
  ])
    it(`looks for leaders and leaves the member in its group: ${error.message}`, async () => {
      const group = new Group();
      await group.call('recoverFromFetch', error);
      assert.deepEqual([group.refreshed, group.joins], [1, 0]);
    });

  it('looks for the coordinator when that is what has moved', async () => {
    const group = new Group();
    await group.call('recoverFromFetch', protocol('NOT_COORDINATOR_FOR_GROUP', true));
    assert.deepEqual([group.coordinator, group.joins], [{ nodeId: 2 }, 0]);
  });

  it('is the end when the broker says no', async () => {
    const error = protocol('TOPIC_AUTHORIZATION_FAILED', false);
    await assert.rejects(new Group().call('recoverFromFetch', error), error);
  });
});

describe('joining', () => {
  it('goes on while a broker cannot be reached', async () => {
    const group = new Group();
    let tries = 0;
    Object.assign(group, {
      retrier: async () => {
        tries += 1;
        if (tries < 3) throw tries === 1 ? refused() : protocol('GROUP_COORDINATOR_NOT_AVAILABLE', true);
      },
    });
    await group.call('joinAndSync');
    assert.deepEqual([tries, group.refreshed], [3, 2]);
  });

  it('ends when the group may not be joined', async () => {
    const error = protocol('GROUP_AUTHORIZATION_FAILED', false);
    const group = Object.assign(new Group(), { retrier: () => Promise.reject(error) });
    await assert.rejects(group.call('joinAndSync'), error);
  });
});
