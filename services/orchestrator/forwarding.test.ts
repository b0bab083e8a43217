import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#chassis/log.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { InputRecord } from '#chassis/processor.ts';
import { Transaction } from '#chassis/transaction.ts';
import { createCodec } from '#schemas/codec.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { topicNames } from '#topics/table.ts';
import { Missions } from './missions.ts';
import { everybody } from './partition-play.ts';
import { openRules } from './rules.ts';

const codec = createCodec(numberedIds());
const topics = topicNames('forwarding');
const home = partitionOf('m', 2);
const away = 1 - home;

/** The records that a partition of two sends for a submission of the mission `m`. */
function handledBy(partition: number, forwarded: boolean) {
  const settings = {
    partition,
    partitions: 2,
    topics,
    roles: { roles: new Set(['a', 'orchestrator']), has: () => true, isGone: () => false },
    agents: everybody,
    rules: openRules(),
    scheduleToStartMs: 300_000,
  };
  const log = openLog('forwarding', 'silent');
  const missions = new Missions({ ...settings, outstanding: null, codec, log });
  const command = missionCommand({ correlation_id: 'm', event_id: 'e', brief: 'b' });
  const bytes = codec.encodeRecord('MissionCommand', command);
  const place = { topic: topics.missions, partition, offset: 7, key: null, timestamp: 0, traceparent: null };
  const record: InputRecord = { ...place, decoded: codec.decode(bytes), bytes, forwarded };
  const transaction = new Transaction();
  missions.handle(record, 1, transaction);
  return transaction.records;
}

test('a command without a key is passed on to the partition of its mission, and marked', () => {
  const [passedOn, ...others] = handledBy(away, false);
  assert.deepEqual(others, []);
  assert.equal(passedOn?.topic, topics.missions);
  assert.equal(passedOn?.partition, home);
  assert.equal(passedOn?.message.headers?.['ravenhelm.forwarded'], String(away));
});

test('a command that was passed on is never passed on again', () => {
  assert.throws(() => handledBy(away, true), { code: 'partitions_differ' });
  assert.ok(handledBy(home, true).some(({ topic }) => topic === topics.coordination));
});
