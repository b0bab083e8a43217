/**
 * `npm run bench:flood`: a few missions that run one after another, before and during a flood of missions of low
 * priority for the same role, which has four places and tasks of a twentieth of a second. Their latency is told for
 * dispatch as it is, and with everything sent at once; so is that of a longer mission that the flood comes after.
 *
 *   npm run bench:flood [-- --json] [-- --seconds 15] [-- --flood 150]
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readTopic } from '#chassis/reader.ts';
import { down, up } from '#local/stack.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { Priority, TaskSpec } from '#schemas/types.gen.ts';
import { type Cluster, startCluster } from './cluster.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '12' },
    flood: { type: 'string', default: '150' },
    each: { type: 'string', default: '10' },
  },
});
const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);
const home = resolve(import.meta.dirname, '..', '.ravenhelm');

const role = `---
name: bench
description: four places, tasks of 50 ms
tools: [execute_terminal_command]
limits: { max_steps: 10, timeout_ms: 60000, concurrency: 4 }
sandbox: { shell: true }
---
Do what the task says.
`;
const nap = (id: string, needs: readonly string[] = []): TaskSpec =>
  taskSpec({
    ...{ id, role: 'bench', needs },
    script: {
      calls: [
        {
          tool: 'execute_terminal_command',
          arguments: '{"command":"sleep 0.05","idempotent":true}',
          allow_failure: false,
        },
      ],
      answer: 'ok',
    },
  });
/** Tasks that run one after another. */
const chainOf = (length: number): TaskSpec[] =>
  Array.from({ length }, (_, i) => nap(`c${i}`, i === 0 ? [] : [`c${i - 1}`]));
const chain = chainOf(3);
const longChain = chainOf(25);

class Driver {
  private readonly waiting = new Map<string, () => void>();
  private readonly stop = new AbortController();
  private readonly cluster: Cluster;
  private readonly reading: Promise<void>;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    const { kafka, topics, config, codec } = cluster.context;
    this.reading = readTopic({
      ...{ kafka, topic: topics.coordination, prefix: config.RAVENHELM_PREFIX, until: 'follow' },
      signal: this.stop.signal,
      each: ({ message }) => {
        const name = message.value === null ? null : codec.nameOf(message.value);
        if (name === 'MissionCompleted') this.waiting.get(message.key?.toString() ?? '')?.();
      },
    });
  }

  /** Milliseconds until it is completed. */
  async run(priority: Priority, tasks: readonly TaskSpec[]): Promise<number> {
    const { publisher, topics, codec } = this.cluster.context;
    const id = `f-${randomBytes(8).toString('hex')}`;
    const command = missionCommand({
      event_id: id,
      correlation_id: id,
      name: 'flood',
      priority,
      tasks: [...tasks],
    });
    const started = performance.now();
    const ended = new Promise<void>((done, failed) => {
      const late = setTimeout(() => failed(new Error(`mission ${id} did not end in 180 s`)), 180_000);
      this.waiting.set(id, () => {
        clearTimeout(late);
        this.waiting.delete(id);
        done();
      });
    });
    await publisher.send(topics.missions, [
      { key: id, value: codec.encodeRecord('MissionCommand', command) },
    ]);
    await ended;
    return performance.now() - started;
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.reading;
  }
}

interface Latency {
  readonly missions: number;
  readonly p50_ms: number;
  readonly p90_ms: number;
}
const percentile = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
function latency(times: number[]): Latency {
  times.sort((a, b) => a - b);
  return { missions: times.length, p50_ms: percentile(times, 0.5), p90_ms: percentile(times, 0.9) };
}

/** One mission of high and one of normal priority at a time, until it is over. */
async function foreground(driver: Driver, over: () => boolean): Promise<Record<'high' | 'normal', Latency>> {
  const one = async (priority: Priority) => {
    const times: number[] = [];
    do times.push(await driver.run(priority, chain));
    while (!over());
    return latency(times);
  };
  const [high, normal] = await Promise.all([one('high'), one('normal')]);
  return { high, normal };
}

const modes = [
  { name: 'as it is', env: {} },
  { name: 'everything at once', env: { RAVENHELM_OUTSTANDING: '1000000' } },
];
const signal = AbortSignal.timeout(900_000);
const folder = resolve(home, 'bench');
const stack = await up({
  ...{ dir: folder, jars: resolve(home, 'jars'), ports: 'free', signal },
  progress: ({ step, state }) => {
    if (state !== 'progress') process.stderr.write(`stack: ${step} ${state}\n`);
  },
});
try {
  const results = [];
  for (const { name, env } of modes) {
    const addresses = {
      KAFKA_BROKERS: stack.brokers.join(','),
      SCHEMA_REGISTRY_URL: stack.registry,
      DATABASE_URL: stack.database,
    };
    const cluster = await startCluster({ ...process.env, ...addresses, ...env }, signal, role);
    const driver = new Driver(cluster);
    try {
      for (let i = 0; i < 5; i += 1) await driver.run('normal', chain);
      const until = performance.now() + Number(values.seconds) * 1000;
      const before = await foreground(driver, () => performance.now() > until);
      const tasks = Array.from({ length: Number(values.each) }, (_, i) => nap(`t${i}`));
      let left = Number(values.flood);
      const began = performance.now();
      const flood = Promise.all(
        Array.from({ length: left }, async () => {
          const took = await driver.run('low', tasks);
          left -= 1;
          return took;
        }),
      );
      const during = await foreground(driver, () => left === 0);
      const floodTimes = latency(await flood);
      const flood_ms = Math.round(performance.now() - began);
      const alone_ms = Math.round(await driver.run('normal', longChain));
      const older = driver.run('normal', longChain);
      const equals = Array.from({ length: Number(values.flood) }, () => driver.run('normal', tasks));
      const older_ms = Math.round(await older);
      await Promise.all(equals);
      const running = { alone_ms, older_ms };
      results.push({ dispatch: name, before, during, flood: floodTimes, flood_ms, running });
      say(
        `${name}: a mission of 25 tasks in a row took ${alone_ms} ms alone, and ${older_ms} ms when ` +
          `${values.flood} of its own priority came after it (× ${(older_ms / alone_ms).toFixed(1)})`,
      );
      for (const priority of ['high', 'normal'] as const) {
        const [quiet, busy] = [before[priority], during[priority]];
        const ratio = (busy.p50_ms / quiet.p50_ms).toFixed(1);
        say(
          `${name}, ${priority}: p50 ${quiet.p50_ms} ms before, ${busy.p50_ms} ms during (× ${ratio}), ` +
            `p90 ${quiet.p90_ms} and ${busy.p90_ms} ms, of ${quiet.missions} and ${busy.missions} missions`,
        );
      }
      say(`${name}: ${values.flood} missions of ${values.each} tasks took ${(flood_ms / 1000).toFixed(1)} s`);
    } finally {
      await driver.close();
      await cluster.close();
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
} finally {
  if (stack.kind !== 'given') await down({ dir: folder, volumes: true, signal: AbortSignal.timeout(60_000) });
}
