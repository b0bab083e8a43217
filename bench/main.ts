/**
 * `npm run bench`: missions of 3 waves × 8 tasks that do nothing, on the full path (registry-framed Avro, ledger with
 * its hash chain, transactions, claims, journal), with the orchestrator and the worker as processes of their own.
 *
 *   npm run bench [-- --json] [-- --seconds 10] [-- --in-flight 200,1000]
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readTopic } from '#chassis/reader.ts';
import { down, up } from '#local/stack.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { newMission, tasksPerMission } from './missions.ts';
import { type Usage, usageOf } from './processes.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    missions: { type: 'string', default: '200' },
    'in-flight': { type: 'string', default: '200,1000' },
  },
});

const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);
const root = resolve(import.meta.dirname, '..');
const home = resolve(root, '.ravenhelm');

interface Throughput {
  readonly missions: number;
  readonly tasks_per_second: number;
  readonly cpu_ms_per_task: number;
  readonly peak_rss_mb: number;
  readonly orchestrator: Usage;
  readonly worker: Usage;
}

/** Sends missions and tells, by id, when each one's last fact is on the ledger. */
class Driver {
  private readonly waiting = new Map<string, (failed: boolean) => void>();
  private readonly stop = new AbortController();
  private readonly cluster: Cluster;
  private readonly reading: Promise<void>;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    const { kafka, topics, config, codec } = cluster.context;
    this.reading = readTopic({
      kafka,
      topic: topics.coordination,
      prefix: config.RAVENHELM_PREFIX,
      until: 'follow',
      signal: this.stop.signal,
      each: ({ message }) => {
        const name = message.value === null ? null : codec.nameOf(message.value);
        if (name === 'MissionCompleted' || name === 'MissionFailed') {
          this.waiting.get(message.key?.toString() ?? '')?.(name === 'MissionFailed');
        }
      },
    });
  }

  /** Milliseconds until the mission is completed. */
  async run(): Promise<number> {
    const { publisher, topics, codec } = this.cluster.context;
    const { id, value } = newMission(codec);
    const started = performance.now();
    await new Promise<void>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`mission ${id} did not end in 60 s`)), 60_000);
      this.waiting.set(id, (hasFailed) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        if (hasFailed) failed(new Error(`mission ${id} failed`));
        else done();
      });
      publisher.send(topics.missions, [{ key: id, value }]).catch(failed);
    });
    return performance.now() - started;
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.reading;
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function measureLatency(driver: Driver, missions: number) {
  const times: number[] = [];
  for (let i = 0; i < missions; i++) times.push(await driver.run());
  times.sort((a, b) => a - b);
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return { missions, p50_ms: round(percentile(times, 0.5)), p99_ms: round(percentile(times, 0.99)) };
}

async function measureThroughput(cluster: Cluster, driver: Driver, inFlight: number): Promise<Throughput> {
  const usage = () => ({
    orchestrator: usageOf(cluster.pids.orchestrator) ?? { cpuMs: 0, peakMb: 0 },
    worker: usageOf(cluster.pids.worker) ?? { cpuMs: 0, peakMb: 0 },
  });
  let completed = 0;
  const until = performance.now() + Number(values.seconds) * 1000;
  const before = usage();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      do {
        await driver.run();
        completed += 1;
      } while (performance.now() < until);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const after = usage();
  const tasks = completed * tasksPerMission;
  const spent = (name: 'orchestrator' | 'worker'): Usage => ({
    cpuMs: Math.round(((after[name].cpuMs - before[name].cpuMs) / tasks) * 1000) / 1000,
    peakMb: after[name].peakMb,
  });
  const orchestrator = spent('orchestrator');
  const worker = spent('worker');
  return {
    missions: inFlight,
    tasks_per_second: Math.round(tasks / seconds),
    cpu_ms_per_task: Math.round((orchestrator.cpuMs + worker.cpuMs) * 1000) / 1000,
    peak_rss_mb: Math.max(orchestrator.peakMb, worker.peakMb),
    orchestrator,
    worker,
  };
}

const signal = AbortSignal.timeout(600_000);
const folder = resolve(home, 'bench');
const stack = await up({
  dir: folder,
  jars: resolve(home, 'jars'),
  ports: 'free',
  signal,
  progress: ({ step, state }) => {
    if (state !== 'progress') process.stderr.write(`stack: ${step} ${state}\n`);
  },
});
try {
  const cluster = await startCluster(
    {
      ...process.env,
      KAFKA_BROKERS: stack.brokers.join(','),
      SCHEMA_REGISTRY_URL: stack.registry,
      DATABASE_URL: stack.database,
    },
    signal,
  );
  const driver = new Driver(cluster);
  try {
    say('warming up');
    await measureLatency(driver, 30);
    await measureThroughput(cluster, driver, 50);
    const latency = await measureLatency(driver, Number(values.missions));
    say(`one mission at a time (${latency.missions}): p50 ${latency.p50_ms} ms, p99 ${latency.p99_ms} ms`);
    const throughput: Throughput[] = [];
    for (const inFlight of values['in-flight'].split(',').map(Number)) {
      const row = await measureThroughput(cluster, driver, inFlight);
      throughput.push(row);
      const cpu = `${row.cpu_ms_per_task} ms CPU a task (orchestrator ${row.orchestrator.cpuMs} + worker ${row.worker.cpuMs})`;
      const memory = `peak ${row.orchestrator.peakMb} + ${row.worker.peakMb} MiB`;
      say(`${inFlight} at once: ${row.tasks_per_second} tasks/s, ${cpu}, ${memory}`);
    }
    if (values.json) process.stdout.write(`${JSON.stringify({ latency, throughput })}\n`);
  } finally {
    await driver.close();
    await cluster.close();
  }
} finally {
  if (stack.kind !== 'given') await down({ dir: folder, volumes: true, signal: AbortSignal.timeout(60_000) });
}
