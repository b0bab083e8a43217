import type { Consumer } from '#chassis/consumer.ts';
import { asFailure, type Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';

const everyMs = 5000;

/** One role that this process is to host. */
export interface RoleHost {
  readonly role: string;
  readonly topic: string;
  /** Joins the role's group. Throws Failure `topic_missing` when its topic is not there. */
  start(survives: (failure: Failure) => Promise<boolean>): Promise<Consumer>;
}

/**
 * The roles of this process, each with a consumer of its own while its topic is there. A topic that is deleted ends the
 * consumer of its role and nothing else; when it is back, the role is hosted again.
 */
export class RoleHosts {
  private readonly hosts: readonly RoleHost[];
  private readonly listTopics: () => Promise<string[]>;
  private readonly log: Logger;
  private readonly consumers = new Map<string, Consumer>();
  /** Roles whose topic the last look did not find: a broker that is coming up may once not list all that there is. */
  private doubted: ReadonlySet<string> = new Set();
  private readonly timer: NodeJS.Timeout;
  private looking: Promise<void> | null = null;

  private constructor(hosts: readonly RoleHost[], listTopics: () => Promise<string[]>, log: Logger) {
    this.hosts = hosts;
    this.listTopics = listTopics;
    this.log = log;
    this.timer = setInterval(() => void this.look(), everyMs);
  }

  /** Throws when no role can be hosted, and for any other reason than a missing topic. */
  static async open(
    hosts: readonly RoleHost[],
    listTopics: () => Promise<string[]>,
    log: Logger,
  ): Promise<RoleHosts> {
    const all = new RoleHosts(hosts, listTopics, log);
    try {
      const missing = (await Promise.all(hosts.map((host) => all.host(host)))).filter(
        (each) => each !== null,
      );
      const [failure] = missing;
      if (failure !== undefined && missing.length === hosts.length) throw failure;
      return all;
    } catch (error) {
      clearInterval(all.timer);
      throw error;
    }
  }

  /** Of a role that is hosted. */
  consumer(role: string): Consumer | undefined {
    return this.consumers.get(role);
  }

  ready(): boolean {
    return [...this.consumers.values()].every((consumer) => consumer.ready());
  }

  /** Answers why the role cannot be hosted now: its topic is missing. */
  private async host(host: RoleHost): Promise<Failure | null> {
    try {
      this.consumers.set(host.role, await host.start((failure) => this.survives(host, failure)));
      return null;
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code !== 'topic_missing') throw failure;
      this.log.error({ code: failure.code, role: host.role, error: failure.message }, 'a role is not hosted');
      return failure;
    }
  }

  /** The consumer of a role has failed. Where that is because its topic is gone, the others go on. */
  private async survives({ role, topic }: RoleHost, failure: Failure): Promise<boolean> {
    const topics = await this.listTopics().catch(() => null);
    if (topics === null || topics.includes(topic)) return false;
    this.leave(role, failure.message);
    return true;
  }

  private leave(role: string, error: string): void {
    const consumer = this.consumers.get(role);
    if (consumer === undefined) return;
    this.consumers.delete(role);
    this.log.error(
      { code: 'topic_missing', role, error },
      'the topic of a role is gone: it is hosted no longer',
    );
    void consumer
      .stop(1000)
      .catch((failure: unknown) => this.log.warn({ role, error: String(failure) }, 'stop'));
  }

  /** Looks which topics have gone, and which are back. */
  look(): Promise<void> {
    this.looking ??= this.lookOnce()
      .catch((error: unknown) => this.log.warn({ error: String(error) }, 'topics could not be looked up'))
      .finally(() => {
        this.looking = null;
      });
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    const topics = new Set(await this.listTopics());
    const missing = this.hosts.filter(({ topic }) => !topics.has(topic)).map(({ role }) => role);
    for (const role of missing) if (this.doubted.has(role)) this.leave(role, 'found no topic');
    this.doubted = new Set(missing);
    for (const host of this.hosts) {
      if (topics.has(host.topic) && !this.consumers.has(host.role)) {
        if ((await this.host(host)) === null) this.log.info({ role: host.role }, 'a role is hosted again');
      }
    }
  }

  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
    await Promise.all([...this.consumers.values()].map((consumer) => consumer.stop(deadlineMs)));
  }
}
