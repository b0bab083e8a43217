import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace, Running, ServiceName, StartOptions } from './harness.ts';

/** Services that are started again whenever they die, as a supervisor would. */
export class Fleet {
  private readonly space: Namespace;
  private readonly members: Member[] = [];
  private closing = false;

  constructor(space: Namespace) {
    this.space = space;
    space.beforeClose(() => this.close());
  }

  async add(service: ServiceName, options: StartOptions = {}): Promise<Member> {
    const member: Member = { service, process: await this.space.start(service, options), kills: 0 };
    this.members.push(member);
    void this.keep(member, options);
    return member;
  }

  get all(): readonly Member[] {
    return this.members;
  }

  private async keep(member: Member, options: StartOptions): Promise<void> {
    while (!this.closing) {
      await member.process.exited;
      if (this.closing) return;
      await sleep(200);
      member.process = await this.space.start(member.service, { ...options, wait: false });
    }
  }

  kill(member: Member): void {
    member.kills += 1;
    member.process.signal('SIGKILL');
  }

  private async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.members.map(({ process }) => process.stop()));
  }
}

export interface Member {
  readonly service: ServiceName;
  process: Running;
  kills: number;
}
