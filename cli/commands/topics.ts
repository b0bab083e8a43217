import type { Admin } from 'kafkajs';
import { applyAcls, applyTopics, type Drift, diffTopics } from '#chassis/admin.ts';
import { readConfig } from '#chassis/config.ts';
import { aclsFor } from '#topics/acls.ts';
import { groupName, type TopicSpec } from '#topics/table.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { duration } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { placeOf, serviceEnvironment } from '../place.ts';
import { tableOf, wantedTopics } from '../prepare.ts';
import { table } from '../table.ts';

/** Makes the topics as the table says. Exits 1 when something was left for a person to decide. */
export async function applyAll(io: Invocation): Promise<ExitCode> {
  const { output, signal } = io;
  const applied = await withConnection(io, async (connection) => {
    const admin = await connection.admin();
    return applyTopics(admin, await wanted(io, connection, admin), signal);
  });
  const { created, grown, configured, refused } = applied;
  if (output.json) output.document(applied, true);
  else {
    for (const topic of created) output.line(`created ${topic}`);
    for (const topic of grown) output.line(`more partitions for ${topic}`);
    for (const topic of configured) output.line(`set anew ${topic}`);
    for (const { reason } of refused) output.line(`refused: ${reason}`);
    if (created.length + grown.length + configured.length + refused.length === 0)
      output.line('All topics are in step.');
  }
  return refused.length === 0 ? 0 : 1;
}

/** Tells where topics are not as the table says. Exits 1 when some are not. */
export async function diff(io: Invocation): Promise<ExitCode> {
  const { output, signal } = io;
  const drift = await withConnection(io, async (connection) => {
    const admin = await connection.admin();
    return diffTopics(admin, await wanted(io, connection, admin), signal);
  });
  if (output.json) output.document(drift, true);
  else if (drift.length === 0) output.line('All topics are in step.');
  else for (const line of driftLines(drift)) output.line(line);
  return drift.length === 0 ? 0 : 1;
}

/** The table itself: what flows where. Needs no broker. */
export async function list({ output, env }: Invocation): Promise<ExitCode> {
  const topics = tableWithout(env);
  if (output.json) {
    output.document(topics, true);
    return 0;
  }
  const rows = topics.map(({ name, key, partitions, cleanup, retentionMs, writers, readers }) => [
    name,
    partitions,
    cleanup,
    cleanup === 'compact' ? '' : retentionMs < 0 ? 'for ever' : duration(retentionMs),
    key,
    few(writers),
    few(readers),
  ]);
  const headings = ['topic', 'partitions', 'cleanup', 'kept', 'key', 'written by', 'read by'];
  for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

export interface AclsOptions {
  readonly apply?: boolean;
  readonly principalPrefix: string;
}

/**
 * What each service has to be allowed, from the table alone, or (`apply`) allows it. Exits 1 when the brokers have
 * nobody who would refuse anything.
 */
export async function acls(io: Invocation, { apply, principalPrefix }: AclsOptions): Promise<ExitCode> {
  const { output, env, signal } = io;
  const { prefix } = placeOf(env);
  const principalOf = (service: Parameters<typeof groupName>[1]) =>
    `${principalPrefix}${groupName(prefix, service)}`;
  const bindings = aclsFor(tableWithout(env), { prefix, principalOf });
  if (apply === true) {
    const applied = await withConnection(io, async (connection) =>
      applyAcls(await connection.admin(), bindings, signal),
    );
    if (output.json) output.document(applied, true);
    else if (applied.skipped === null) output.line(`${applied.applied} rules are in force.`);
    else output.line(`Nothing is applied: ${applied.skipped}.`);
    return applied.skipped === null ? 0 : 1;
  }
  if (output.json) {
    output.document(bindings, true);
    return 0;
  }
  const rows = bindings.map(({ principal, resource, name, pattern, operations }) => [
    principal,
    resource,
    pattern === 'prefixed' ? `${name}*` : name,
    operations.join(', '),
  ]);
  const headings = ['principal', 'resource', 'name', 'may'];
  for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

/** The table as the environment has it, without any address. */
function tableWithout(env: NodeJS.ProcessEnv): TopicSpec[] {
  const nowhere = { KAFKA_BROKERS: 'none:0', SCHEMA_REGISTRY_URL: 'http://none' };
  const RAVENHELM_PREFIX = placeOf(env).prefix;
  return tableOf(readConfig({ ...env, ...nowhere, DATABASE_URL: undefined, RAVENHELM_PREFIX }));
}

export function driftLines(drift: readonly Drift[]): string[] {
  const rows = drift.map((change) => {
    switch (change.kind) {
      case 'missing':
        return [change.topic, 'missing', '', ''];
      case 'partitions':
      case 'copies':
        return [change.topic, change.kind, change.found, change.wanted];
      case 'config':
        return [change.topic, change.setting, change.found, change.wanted];
      default:
        return change satisfies never;
    }
  });
  return table(['topic', 'what', 'found', 'wanted'], rows);
}

function wanted({ env, signal }: Invocation, { place, address }: Connection, admin: Admin) {
  return wantedTopics(readConfig(serviceEnvironment(place, address, env)), admin, signal);
}

/** All workers are one reader, for a person. */
function few(services: readonly string[]): string {
  const others = services.filter((service) => !service.startsWith('worker-'));
  const workers = services.filter((service) => service.startsWith('worker-'));
  return [...others, ...(workers.length > 1 ? ['workers'] : workers)].join(', ');
}
