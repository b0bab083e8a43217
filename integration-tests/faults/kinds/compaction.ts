import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigResourceTypes } from '#chassis/kafkajs.ts';
import type { Fault } from '../fault.ts';

const eager = { 'segment.ms': '1000', 'min.cleanable.dirty.ratio': '0', 'min.compaction.lag.ms': '0' };

/** The changelogs are compacted all the time, so that each restore reads what the cleaner has left of them. */
export const compaction: Fault = {
  name: 'compaction',
  how: 'changelogs are compacted every second while their owners die and restore',
  async inject(swarm, random, signal) {
    const topics = swarm.topics.filter((topic) => topic.endsWith('.state'));
    await configure(swarm.context.admin, topics, eager);
    const kills = swarm.times(swarm.short ? 1 : 0.5);
    await sleep(3000, undefined, { signal });
    for (let n = 0; n < kills; n++) {
      swarm.killAndTime(random.pick(swarm.members.of(random.pick(['orchestrator', 'worker'] as const))));
      await sleep(random.int(3000, 5000), undefined, { signal });
    }
    return { topics: topics.length, kills };
  },
};

/** The broker replaces all settings of a topic: what is there is read and written again. */
async function configure(
  admin: import('kafkajs').Admin,
  topics: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const type = ConfigResourceTypes.TOPIC;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type, name })),
  });
  await admin.alterConfigs({
    validateOnly: false,
    resources: resources.map(({ resourceName, configEntries }) => {
      const kept = configEntries
        .filter(({ configSource }) => Number(configSource) === 1)
        .map(({ configName, configValue }) => [configName, configValue] as const);
      const all = { ...Object.fromEntries(kept), ...settings };
      return {
        type,
        name: resourceName,
        configEntries: Object.entries(all).map(([name, value]) => ({ name, value })),
      };
    }),
  });
}
