import { hostname } from 'node:os';
import { z } from 'zod';
import { codeVersion } from '#chassis/code-version.ts';
import { readConfig } from '#chassis/config.ts';
import { healthEvent } from '#chassis/heartbeat.ts';
import { connectKafka, silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { openPublisher } from '#chassis/publisher.ts';
import { openCodec } from '#schemas/codec.ts';
import { missionsSubject, topicNames } from '#topics/table.ts';

/**
 * Says on the health topic that a process has ended which could not say so itself. A process of its own, and a short
 * one: the supervisor, which must outlive everything, holds no client.
 *
 *   node obituary.ts '{"service":"worker","pid":12,"state":"failed","reason":"SIGKILL","started_at":0}'
 */
const Death = z.object({
  service: z.string(),
  pid: z.number().int(),
  state: z.enum(['failed', 'given_up']),
  reason: z.string(),
  started_at: z.number(),
});

const deadlineMs = 20_000;

const { service, pid, ...death } = Death.parse(JSON.parse(process.argv[2] ?? ''));
const late = setTimeout(() => process.exit(1), deadlineMs);
const config = readConfig(process.env);
const log = openLog('supervisor', 'silent');
silenceKafkajsWarnings();
const kafka = connectKafka({ brokers: config.KAFKA_BROKERS, clientId: `supervisor-${process.pid}`, log });
const [codec, publisher] = await Promise.all([
  openCodec(config.SCHEMA_REGISTRY_URL, {
    missionsSubject: missionsSubject(config.RAVENHELM_PREFIX),
    signal: AbortSignal.timeout(deadlineMs),
  }),
  openPublisher(kafka, log),
]);
const agent = `${service}@${hostname()}:${pid}`;
const nothing = { roles: [], running: 0, capacity: 0, pools: [], problems: [] };
const about = { agent, service, pid, host: hostname(), code_version: codeVersion };
const event = healthEvent(Date.now(), { ...about, ...nothing, ...death }, 'supervisor');
await publisher.send(topicNames(config.RAVENHELM_PREFIX).health, [
  { key: agent, value: codec.encode(event) },
]);
await publisher.close(1000);
clearTimeout(late);
