import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicsTogetherWith } from '#topics/table.ts';
import type { Failure } from './failures.ts';
import { openLog } from './log.ts';
import { commonPartitions, watchPartitions } from './partition-counts.ts';

function brokers(counts: Record<string, number>) {
  return {
    listTopics: () => Promise.resolve(Object.keys(counts)),
    fetchTopicMetadata: ({ topics = [] }: { topics?: string[] } = {}) =>
      Promise.resolve({
        topics: topics.map((name) => ({
          name,
          partitions: Array.from({ length: counts[name] ?? 0 }) as never[],
        })),
      }),
  };
}

test('topics that belong together and have different numbers of partitions are refused', async () => {
  const counts = { 'p.missions': 3, 'p.squad.reports': 4, 'p.other': 1 };
  const together = ['p.missions', 'p.squad.reports', 'p.correlator.state'];
  await assert.rejects(commonPartitions(brokers(counts), together, ['p.missions']), {
    code: 'partitions_differ',
    message: /p\.missions: 3, p\.squad\.reports: 4/,
  });
  assert.equal(
    await commonPartitions(brokers({ ...counts, 'p.squad.reports': 3 }), together, ['p.missions']),
    3,
  );
  await assert.rejects(commonPartitions(brokers(counts), together, ['p.gone']), {
    code: 'topic_missing',
    message: /p\.gone/,
  });
});

test('a process that began with another number of partitions ends; a broker that does not answer ends none', async () => {
  const crashes: Failure[] = [];
  let look: () => Promise<number> = () => Promise.resolve(3);
  const log = openLog('test', 'silent');
  const watch = watchPartitions({
    count: 3,
    look: () => look(),
    crash: (failure) => crashes.push(failure),
    log,
  });
  await watch.look();
  look = () => Promise.reject(new Error('no broker'));
  await watch.look();
  assert.equal(crashes.length, 0);
  look = () => Promise.resolve(6);
  await watch.look();
  watch.stop();
  assert.equal(crashes[0]?.code, 'partitions_differ');
});

test('the table says which topics belong together', () => {
  const mission = topicsTogetherWith('p', 'p.missions');
  for (const topic of ['p.squad.reports', 'p.squad.coordination', 'p.orchestrator.state'])
    assert.ok(mission.includes(topic));
  assert.deepEqual(topicsTogetherWith('p', 'p.squad.tasks.builder'), [
    'p.squad.tasks.builder',
    'p.worker-builder.state',
  ]);
  assert.deepEqual(topicsTogetherWith('p', 'p.squad.health'), ['p.squad.health']);
});
