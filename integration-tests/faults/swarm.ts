/** All that a fault has to do with: a stack of its own, three of each service, missions under way, and the checker. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyTopics } from '#chassis/admin.ts';
import { readConfig } from '#chassis/config.ts';
import type { Failure } from '#chassis/failures.ts';
import { silenceKafkajsWarnings } from '#chassis/kafka.ts';
import { openLog } from '#chassis/log.ts';
import { openContext } from '#chassis/service.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import type { History } from '#orchestrator/golden/history.ts';
import { recordHistory } from '#orchestrator/golden/record.ts';
import { registerAll } from '#schemas/register.ts';
import { groupName, topicTable } from '#topics/table.ts';
import { directoryName } from '#worker/workspace.ts';
import type { ServiceName } from '../harness.ts';
import { Checker } from './checker/checker.ts';
import { checkOutside, readOutside } from './checker/outside.ts';
import { Violations } from './checker/violations.ts';
import { type Disk, makeDisk, removeDisk } from './disk.ts';
import { outsideFile } from './draft.ts';
import { Feeder } from './feeder.ts';
import { type Member, Members } from './members.ts';
import { Memory } from './memory.ts';
import { OwnStack } from './own-stack.ts';
import { Person } from './person.ts';
import type { Random } from './random.ts';
import { Recovery } from './recovery.ts';
import { roleFiles } from './shapes.ts';

const root = resolve(import.meta.dirname, '../..');
export const partitions = 3;
/** Of each service, in the whole campaign and in the short form. */
const instances = { whole: 3, short: 2 };
const everyService = ['orchestrator', 'worker', 'projector', 'correlator', 'retrier', 'statistics'];

/** Small, so that it is soon full. */
const workspaceDisk = '128m';

/** The services that there are. */
export const services = everyService.filter((name) =>
  existsSync(join(root, 'services', name, 'main.ts')),
) as ServiceName[];

/** Those that process partitions with a changelog, and so can be fenced. */
export const processors = services.filter((name) => !['projector', 'retrier', 'statistics'].includes(name));

export interface SwarmSettings {
  readonly folder: string;
  readonly random: Random;
  readonly short: boolean;
  readonly times: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export class Swarm {
  readonly settings: SwarmSettings;
  readonly stack: OwnStack;
  readonly context: ServiceContext;
  /** Of commands, which take the direct way to the broker. */
  readonly env: NodeJS.ProcessEnv;
  readonly violations: Violations;
  readonly checker: Checker;
  readonly members: Members;
  readonly feeder: Feeder;
  readonly person: Person;
  readonly recovery: Recovery;
  readonly memory: Memory;
  readonly topics: readonly string[];
  /** The disk of the workspaces. */
  readonly workspaces: Disk;
  private readonly checked = new Set<string>();
  /** Steps that ran again where a fault hid their outcome. */
  repeatedSteps = 0;

  private constructor(parts: {
    settings: SwarmSettings;
    stack: OwnStack;
    context: ServiceContext;
    env: NodeJS.ProcessEnv;
    topics: readonly string[];
    workspaces: Disk;
  }) {
    const { settings, stack, context, env, topics, workspaces } = parts;
    this.workspaces = workspaces;
    const { random, say, folder } = settings;
    this.settings = settings;
    this.stack = stack;
    this.context = context;
    this.env = env;
    this.topics = topics;
    this.violations = new Violations(({ kind, mission, what }) => say(`  ${kind}: ${mission}: ${what}`));
    const roles = Object.keys(roleFiles);
    const names = context.topics;
    this.checker = new Checker({
      broker: stack.direct,
      registry: stack.registry,
      group: 'campaign-checker',
      violations: this.violations,
      topics: {
        missions: names.missions,
        reports: names.reports,
        coordination: names.coordination,
        steps: names.steps,
        dlq: names.dlq,
        tasks: roles.map((role) => names.tasks(role)),
        states: topics.filter((topic) => topic.endsWith('.state')),
      },
    });
    this.members = new Members({ ...env, KAFKA_BROKERS: stack.proxied }, folder);
    this.feeder = new Feeder(context, this.checker, random.fork('missions'));
    this.person = new Person(this.checker, this.feeder, random.fork('person'), (mission) =>
      this.outsideOf(mission),
    );
    this.recovery = new Recovery(this.checker);
    this.memory = new Memory(this.members);
  }

  static async start(settings: SwarmSettings): Promise<Swarm> {
    const { folder, signal, say } = settings;
    mkdirSync(join(folder, 'roles'), { recursive: true });
    for (const [name, text] of Object.entries(roleFiles))
      writeFileSync(join(folder, 'roles', `${name}.md`), text);
    say('starting a broker, a registry and a PostgreSQL');
    const stack = await OwnStack.start(join(folder, 'stack'), signal);
    let swarm: Swarm | null = null;
    try {
      const env = {
        ...process.env,
        KAFKA_BROKERS: stack.direct,
        SCHEMA_REGISTRY_URL: stack.registry,
        DATABASE_URL: stack.database,
        RAVENHELM_PREFIX: 'faults',
        RAVENHELM_ROLES: join(folder, 'roles'),
        RAVENHELM_WORKSPACES: join(folder, 'workspaces'),
        RAVENHELM_PARTITIONS: String(partitions),
        RAVENHELM_HOME: join(folder, 'home'),
        NODE_COMPILE_CACHE: resolve(root, '.ravenhelm', 'compile-cache'),
        LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
      };
      silenceKafkajsWarnings();
      const context = await openClients(env, stack.registry, signal);
      const table = topicTable({
        prefix: 'faults',
        roles: Object.keys(roleFiles),
        partitions,
        replication: 1,
      });
      await applyTopics(context.admin, table, signal);
      const workspaces = await makeDisk(join(folder, 'workspaces'), workspaceDisk);
      const topics = table.map(({ name }) => name);
      swarm = new Swarm({ settings, stack, context, env, topics, workspaces });
      say(`starting ${swarm.instances} of each: ${services.join(', ')}`);
      swarm.checker.start();
      for (const service of services) {
        const { members } = swarm;
        await Promise.all(Array.from({ length: swarm.instances }, () => members.add(service)));
      }
      await swarm.members.ready();
      return swarm;
    } catch (error) {
      await (swarm ?? stack).stop();
      throw error;
    }
  }

  /** Of each service. */
  get instances(): number {
    return this.short ? instances.short : instances.whole;
  }

  /** A fault before anything is under way would hit nothing. */
  async underWay(missions: number, signal: AbortSignal): Promise<void> {
    for (const late = Date.now() + 20_000; Date.now() < late && this.checker.open.length < missions; )
      await sleep(50, undefined, { signal });
  }

  get short(): boolean {
    return this.settings.short;
  }

  /** How often, or how long: in the whole campaign and in the short form. */
  size(whole: number, short: number): number {
    return this.short ? short : whole;
  }

  /** How often what is done again and again is done; a part of that where it takes long. */
  times(part = 1): number {
    return Math.max(1, Math.round(this.settings.times * part));
  }

  say(line: string): void {
    this.settings.say(line);
  }

  outsideOf(mission: string): string {
    return join(this.settings.folder, 'workspaces', directoryName(mission), outsideFile);
  }

  /** What the consumer group of a service with one group is called. */
  group(service: string): string {
    return groupName('faults', service);
  }

  /** A process of the service; of the workers one that has claimed a task, when there is one within ten seconds. */
  async victim(service: ServiceName, random: Random, signal: AbortSignal): Promise<Member> {
    let victims = this.members.of(service);
    for (const late = Date.now() + 10_000; service === 'worker' && Date.now() < late; ) {
      const busy = this.members.of(service).filter(({ pid }) => this.recovery.heldBy(pid).size > 0);
      if (busy.length > 0) {
        victims = busy;
        break;
      }
      await sleep(20, undefined, { signal });
    }
    return random.pick(victims);
  }

  /** kill -9 of a process, and from then on the time until somebody goes on with what it held. */
  killAndTime(member: Member): void {
    const held = member.service === 'orchestrator' ? member.partitions(this.group('orchestrator')) : [];
    const { pid } = member;
    this.members.kill(member);
    if (member.service === 'orchestrator') this.recovery.ofPartitions(held);
    else if (member.service === 'worker') this.recovery.ofAgent(pid);
  }

  /** Everything runs and is ready, whatever a fault has left. */
  async whole(signal: AbortSignal): Promise<void> {
    this.stack.proxy.heal();
    for (const name of ['kafka', 'postgres', 'apicurio', 'registry'] as const)
      await this.stack.up(name, signal);
    for (const member of this.members.all) member.stopForgotten();
    for (const service of services) {
      while (this.members.of(service).length < this.instances) await this.members.add(service);
    }
    await this.members.ready(120_000);
  }

  /** Waits for the end of all missions; those that have none when time is up are stuck. */
  async settle(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { feeder, checker, violations } = this;
    feeder.stop();
    const late = Date.now() + deadlineMs;
    const waits = () => feeder.open.length > 0 || checker.deadLetters < feeder.poison;
    await Promise.race([feeder.acknowledgedAll(), sleep(deadlineMs, undefined, { signal })]);
    while (waits() && Date.now() < late) await sleep(200, undefined, { signal });
    for (const id of feeder.open) {
      if (checker.missions.has(id))
        violations.add('stuck', id, `no end ${deadlineMs / 1000} s after the fault`);
    }
    // Each topic is read on its own, and what was written together is not read together.
    await sleep(1500, undefined, { signal });
    await this.checkQuiet();
  }

  private async checkQuiet(): Promise<void> {
    const { feeder, checker, violations } = this;
    checker.checkQuiet(feeder.acknowledged);
    if (checker.deadLetters !== feeder.poison) {
      const kind = checker.deadLetters < feeder.poison ? 'lost' : 'wrong';
      const found = `found ${checker.deadLetters} dead letters, expected the ${feeder.poison} records that nobody can read`;
      violations.add(kind, 'dead letters', found);
    }
    for (const [id, { end, steps, must }] of feeder.missions) {
      const book = checker.missions.get(id);
      if (book === undefined || book.end === '' || this.checked.has(id)) continue;
      this.checked.add(id);
      if (end !== null && book.end !== end)
        violations.add('lost', id, `ended with ${book.end}, expected ${end} (${book.failure})`);
      const completed = new Set(book.completed.map(({ task }) => task));
      const missing = must.filter((task) => !completed.has(task));
      if (missing.length > 0) violations.add('lost', id, `ended without ${missing.join(', ')}`);
      const runs = await readOutside(this.outsideOf(id));
      this.repeatedSteps += checkOutside(id, runs, steps, book.completed, checker.outcomes, violations);
    }
  }

  history(signal: AbortSignal): Promise<History> {
    const { kafka, codec, topics, config } = this.context;
    const { RAVENHELM_PREFIX: prefix, SCHEMA_REGISTRY_URL: registry } = config;
    return recordHistory({ kafka, codec, topics, prefix, registry }, signal);
  }

  async stop(): Promise<void> {
    this.feeder.stop();
    this.person.stop();
    this.memory.stop();
    await this.checker.close();
    await this.members.close();
    await this.context.publisher.close(1000).catch(() => undefined);
    await this.context.admin.disconnect().catch(() => undefined);
    await removeDisk(join(this.settings.folder, 'workspaces'));
    await this.stack.stop();
  }
}

async function openClients(
  env: NodeJS.ProcessEnv,
  registry: string,
  signal: AbortSignal,
): Promise<ServiceContext> {
  const config = readConfig(env);
  const log = openLog('campaign', 'silent');
  await registerAll({ url: registry, missionsSubject: 'faults.missions-value', signal });
  return openContext('campaign', config, log, (failure: Failure) => {
    throw failure;
  });
}
