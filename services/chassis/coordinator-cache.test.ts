import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import './kafkajs.ts';

const load = createRequire(import.meta.url);
type Methods = { readonly prototype: Record<string, (this: object, given: object) => Promise<unknown>> };
const Cluster = load('kafkajs/src/cluster') as Methods;
const Broker = load('kafkajs/src/broker') as Methods;

/** A client whose cluster moves the coordinator each time it is asked who that is. */
function clientOf(id: string) {
  const brokers = [answering(), answering(), answering()];
  let asked = 0;
  const cluster = {
    retrier: async () => brokers[asked++],
  };
  return {
    find: () => Cluster.prototype['findGroupCoordinator']?.call(cluster, { groupId: id, coordinatorType: 1 }),
    get asked() {
      return asked;
    },
  };
}

function answering() {
  let answer: string | null = null;
  return {
    isConnected: () => true,
    lookupRequest: () => {
      throw Object.assign(new Error(String(answer)), { type: answer });
    },
    endTxn(type: string) {
      answer = type;
      return Broker.prototype['endTxn']?.call(this, { transactionalId: 'one' });
    },
  };
}

describe('the transaction coordinator', () => {
  it('is asked for once while it answers', async () => {
    const client = clientOf('one');
    const first = await client.find();
    assert.equal(await client.find(), first);
    assert.equal(client.asked, 1);
  });

  for (const type of ['NOT_COORDINATOR_FOR_GROUP', 'GROUP_LOAD_IN_PROGRESS'])
    it(`is asked for anew after ${type}`, async () => {
      const client = clientOf('one');
      const first = (await client.find()) as ReturnType<typeof answering>;
      await assert.rejects(async () => first.endTxn(type), { type });
      assert.notEqual(await client.find(), first);
    });

  it('is still the one that says that the last transaction is being ended', async () => {
    const client = clientOf('one');
    const first = (await client.find()) as ReturnType<typeof answering>;
    const type = 'CONCURRENT_TRANSACTIONS';
    await assert.rejects(async () => first.endTxn(type), { type });
    assert.equal(await client.find(), first);
  });
});
