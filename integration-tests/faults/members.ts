/** The services of the swarm: processes of their own, started again whenever they die, as a supervisor would. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopPoint } from '#chassis/stop-point.ts';
import { type Running, type ServiceName, startService } from '../harness.ts';

export class Member {
  readonly service: ServiceName;
  readonly name: string;
  /** A file in here that is named as a stop point stops the process there. */
  readonly stops: string;
  process: Running;
  /** Added to the environment from the next start on. */
  extra: NodeJS.ProcessEnv = {};
  leaving = false;
  startedAt = Date.now();

  constructor(service: ServiceName, name: string, stops: string, process: Running) {
    this.service = service;
    this.name = name;
    this.stops = stops;
    this.process = process;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Asks the process to end (SIGKILL) or freeze (SIGSTOP) itself at the next passing of a point. */
  stopAt(point: StopPoint, signal: 'SIGKILL' | 'SIGSTOP'): void {
    writeFileSync(join(this.stops, point), signal);
  }

  stopForgotten(): void {
    rmSync(this.stops, { recursive: true, force: true });
    mkdirSync(this.stops, { recursive: true });
  }

  /** The partitions that the process says it holds, by its log; none while it has not joined. */
  partitions(group: string): readonly number[] {
    let found: readonly number[] = [];
    for (const line of readFileSync(this.process.log, 'utf8').split('\n')) {
      if (!line.includes('joined group')) continue;
      try {
        const entry = JSON.parse(line) as { group?: string; partitions?: number[] };
        if (entry.group === group) found = entry.partitions ?? [];
      } catch {
        // A line that the kill cut off.
      }
    }
    return found;
  }
}

const respawnMs = 300;

export class Members {
  private readonly env: NodeJS.ProcessEnv;
  private readonly folder: string;
  private members: Member[] = [];
  private started = 0;
  private closing = false;
  /** How often a process ended by itself: a crash that it said loudly, not one that the campaign made. */
  crashes = 0;
  starts = 0;

  constructor(env: NodeJS.ProcessEnv, folder: string) {
    this.env = env;
    this.folder = folder;
    mkdirSync(join(folder, 'stops'), { recursive: true });
    mkdirSync(join(folder, 'logs'), { recursive: true });
  }

  get all(): readonly Member[] {
    return this.members;
  }

  of(service: ServiceName): readonly Member[] {
    return this.members.filter((member) => member.service === service);
  }

  get services(): readonly ServiceName[] {
    return [...new Set(this.members.map(({ service }) => service))];
  }

  async add(service: ServiceName): Promise<Member> {
    const name = `${service}-${this.members.filter((m) => m.service === service).length + 1}-${this.started}`;
    const stops = join(this.folder, 'stops', name);
    mkdirSync(stops, { recursive: true });
    const process = await this.spawn(service, stops, {});
    const member = new Member(service, name, stops, process);
    this.members.push(member);
    void this.keep(member);
    return member;
  }

  private async spawn(service: ServiceName, stops: string, extra: NodeJS.ProcessEnv): Promise<Running> {
    this.starts += 1;
    const env = { ...this.env, ...extra, RAVENHELM_STOP_FOLDER: stops };
    return startService(service, env, [], join(this.folder, 'logs'), this.started++);
  }

  private async keep(member: Member): Promise<void> {
    while (!this.closing && !member.leaving) {
      const code = await member.process.exited;
      if (this.closing || member.leaving) return;
      // Null: a signal ended it.
      if (code !== null) this.crashes += 1;
      await sleep(respawnMs);
      if (this.closing || member.leaving) return;
      member.process = await this.spawn(member.service, member.stops, member.extra);
      member.startedAt = Date.now();
    }
  }

  /** kill -9. It is started again. */
  kill(member: Member): void {
    member.process.signal('SIGKILL');
  }

  /** Tells it to end as an operator would, and does not start it again. */
  async remove(member: Member): Promise<void> {
    member.leaving = true;
    this.members = this.members.filter((each) => each !== member);
    await member.process.stop();
  }

  /** All that run are ready; those that do not get there in time are told of. */
  async ready(deadlineMs = 90_000): Promise<void> {
    const late = Date.now() + deadlineMs;
    for (const member of this.members) {
      for (;;) {
        try {
          await member.process.ready();
          break;
        } catch (error) {
          // It died meanwhile, and another one is on its way.
          if (Date.now() > late) throw error;
          await sleep(200);
        }
      }
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.members.map(({ process }) => process.stop()));
  }
}
