import { metrics } from '#chassis/metrics.ts';
import type { Processor } from '#chassis/processor.ts';
import { processScrubber } from '#chassis/secrets.ts';
import { transactionalIds } from '#chassis/service.ts';
import type { Service, ServiceContext } from '#chassis/service-context.ts';
import { topicOffsets } from '#chassis/topic-offsets.ts';
import type { Role } from '#roles/load.ts';
import { Claims, type Slots } from './claims.ts';
import { JournalPlaces } from './journal-places.ts';
import { systemClock } from './lease.ts';
import { openModels } from './models/open-models.ts';
import { openProcessTools } from './more-tools.ts';
import { journalReader } from './read-journal.ts';
import { type RoleHost, RoleHosts } from './role-hosts.ts';
import type { WorkerParts } from './run-task.ts';
import { Runners } from './runners.ts';
import { warnOfMissingSandbox } from './tools/sandbox-warning.ts';

/** Hosts the given roles in this process, each as a member of its own consumer group `worker-<role>`. */
export async function hostRoles(context: ServiceContext, roles: ReadonlyMap<string, Role>): Promise<Service> {
  const { admin, topics, codec, publisher, kafka, log, agent, config } = context;
  const clock = systemClock;
  await warnOfMissingSandbox(log);
  const ends = await topicOffsets(admin, topics.steps);
  const places = new JournalPlaces(
    ends.toSorted((a, b) => a.partition - b.partition).map(({ high }) => Number(high)),
  );
  const tools = await openProcessTools(context, roles);
  const parts: WorkerParts = {
    agent,
    roles,
    models: openModels(process.env, log),
    codec,
    publisher: {
      async send(topic, records) {
        const landed = await publisher.send(topic, records);
        if (topic === topics.steps) places.note(landed.filter((each) => each.topic === topic));
        return landed;
      },
    },
    readJournal: journalReader({ kafka, topic: topics.steps, prefix: config.RAVENHELM_PREFIX, codec }),
    topics,
    moreTools: tools.of,
    workspaces: config.RAVENHELM_WORKSPACES,
    clock,
    scrubber: processScrubber(),
    log,
  };
  let hosts: RoleHosts | null = null;
  const all = [...roles.values()].map((role) =>
    roleHost(context, parts, places, role, () => hosts?.consumer(role.name)?.pump()),
  );
  hosts = await RoleHosts.open(all, () => admin.listTopics(), log);
  const hosting = hosts;
  const hosted = () => all.filter(({ role }) => hosting.consumer(role) !== undefined);
  return {
    ready: () => hosting.ready(),
    vitals: () => ({
      roles: hosted().map(({ role }) => role),
      running: all.reduce((sum, { runners }) => sum + runners.size, 0),
      capacity: hosted().reduce((sum, { slots }) => sum + slots.capacity, 0),
      pools: hosted().map(({ role, runners, slots }) => ({
        role,
        running: runners.size,
        capacity: slots.capacity,
      })),
    }),
    async stop(deadlineMs) {
      // First no new claims, then the end of what runs; the group is left in between, so that others can go on.
      await hosting.stop(deadlineMs);
      await Promise.all(all.map(({ runners }) => runners.drain(deadlineMs)));
      await tools.stop(deadlineMs);
    },
  };
}

/** What hosts a role in this process. `pump` is called whenever there is room for one more task. */
function roleHost(
  context: ServiceContext,
  parts: WorkerParts,
  places: JournalPlaces,
  role: Role,
  pump: () => void,
) {
  const { topics, codec, log, agent, config } = context;
  const slots: Slots = {
    capacity: Math.min(config.MAX_WORKERS_PER_ROLE, role.limits.concurrency),
    claiming: 0,
  };
  const service = `worker-${role.name}`;
  const runners = new Runners(parts, () => {
    metrics.running.set({ role: role.name }, runners.size);
    pump();
  });
  const processor: Processor = {
    service,
    inputs: [topics.tasks(role.name)],
    stateTopic: topics.state(service),
    barrierTopic: null,
    transactionalIds: transactionalIds(config.RAVENHELM_PREFIX, service, 1),
    open: () =>
      new Claims({
        role: role.name,
        agent,
        slots,
        runners,
        places,
        reportsTopic: topics.reports,
        codec,
        clock: parts.clock,
        scheduleToStartMs: config.RAVENHELM_SCHEDULE_TO_START_MS,
        log,
      }),
  };
  const start: RoleHost['start'] = (survives) => context.consume({ ...processor, survives });
  return { role: role.name, topic: topics.tasks(role.name), start, runners, slots };
}
