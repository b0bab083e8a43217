import type { Admin } from 'kafkajs';
import { applyTopics, copiesLike } from '#chassis/admin.ts';
import { type Config, readConfig } from '#chassis/config.ts';
import { Failure } from '#chassis/failures.ts';
import { connectKafka, silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import type { StackAddress } from '#local/address.ts';
import { loadRoles } from '#roles/load.ts';
import { registerAll } from '#schemas/register.ts';
import { missionsSubject, type TopicSpec, topicNames, topicTable } from '#topics/table.ts';
import { type Place, serviceEnvironment } from './place.ts';
import type { StepReport } from './steps.ts';

/** The topics of this namespace, with a task topic for each role, as they should be on this cluster. */
export async function wantedTopics(config: Config, admin: Admin, signal: AbortSignal): Promise<TopicSpec[]> {
  const { missions } = topicNames(config.RAVENHELM_PREFIX);
  return tableOf(config, config.RAVENHELM_REPLICATION ?? (await copiesLike(admin, missions, signal)));
}

/** The same without asking a cluster. */
export function tableOf(config: Config, replication = config.RAVENHELM_REPLICATION ?? 1): TopicSpec[] {
  return topicTable({
    prefix: config.RAVENHELM_PREFIX,
    roles: [...loadRoles(config.RAVENHELM_ROLES).keys()],
    partitions: config.RAVENHELM_PARTITIONS,
    replication,
  });
}

/** What services need before they start: all schemas registered, all topics there. Changes nothing that is in step. */
export async function prepare(
  place: Place,
  address: StackAddress,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  report: (report: StepReport) => void,
): Promise<void> {
  const config = readConfig(serviceEnvironment(place, address, env));
  await Promise.all([prepareSchemas(place, address, signal, report), prepareTopics(config, signal, report)]);
}

async function prepareSchemas(
  place: Place,
  address: StackAddress,
  signal: AbortSignal,
  report: (report: StepReport) => void,
): Promise<void> {
  const step = 'schemas';
  report({ step, state: 'start' });
  const registered = await registerAll({
    url: address.registry,
    missionsSubject: missionsSubject(place.prefix),
    signal,
    progress: ({ done, total }) => report({ step, state: 'progress', done, total }),
  });
  const added = registered.filter(({ outcome }) => outcome === 'registered').length;
  report({
    step,
    state: 'done',
    note: `${registered.length} in the registry${added > 0 ? `, ${added} of them new` : ''}`,
  });
}

async function prepareTopics(
  config: Config,
  signal: AbortSignal,
  report: (report: StepReport) => void,
): Promise<void> {
  const step = 'topics';
  report({ step, state: 'start' });
  silenceKafkajsWarnings();
  const clientId = `ravenhelm-up-${process.pid}`;
  const kafka = connectKafka({ brokers: config.KAFKA_BROKERS, clientId, log: openLog('up', 'silent') });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const table = await wantedTopics(config, admin, signal);
    const { created, grown, configured, refused } = await applyTopics(admin, table, signal);
    const changes = [
      ...(created.length > 0 ? [`${created.length} new`] : []),
      ...(grown.length > 0 ? [`${grown.length} with more partitions`] : []),
      ...(configured.length > 0 ? [`${configured.length} set anew`] : []),
      ...refused.map(({ reason }) => reason),
    ];
    report({ step, state: 'done', note: [`${table.length} in step`, ...changes].join(', ') });
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('broker_unavailable', `topics: ${String(error)}`, { cause: error });
  } finally {
    await admin.disconnect();
  }
}
