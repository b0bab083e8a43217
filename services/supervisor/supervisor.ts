import { join } from 'node:path';
import type { Logger } from '#chassis/log.ts';
import { isFree } from '#local/ports.ts';
import { identityOf } from '#local/processes.ts';
import { Child, type Watch } from './child.ts';
import { Deaths } from './deaths.ts';
import { rotate } from './log-file.ts';
import { defaultPolicy, type RestartPolicy } from './restart-policy.ts';
import type { ServiceSpec } from './services.ts';
import { type SupervisorRecord, stateWriter } from './state-file.ts';

export interface SupervisorSettings {
  /** Where `supervisor.json` and `logs/` are. */
  readonly dir: string;
  /** The working directory of the services. */
  readonly cwd: string;
  readonly services: readonly ServiceSpec[];
  readonly env: NodeJS.ProcessEnv;
  /** Kept in the state file: see SupervisorRecord. */
  readonly settings: string;
  readonly log: Logger;
  /** Health ports are the free ones from here on. */
  readonly firstPort: number;
  readonly policy?: RestartPolicy;
  readonly watch?: Partial<Watch>;
}

export interface Supervisor {
  readonly record: () => SupervisorRecord;
  /** Starts what was given up again. */
  revive(): void;
  /** Ends all services at once, each with the same deadline. */
  stop(deadlineMs: number): Promise<void>;
}

const defaultWatch: Watch = {
  startingEveryMs: 100,
  readyEveryMs: 2000,
  startMs: 120_000,
  silentMs: 60_000,
};

/** Starts services as processes of their own and keeps them alive; one that fails does not touch the others. */
export async function supervise(to: SupervisorSettings): Promise<Supervisor> {
  const identity = (await identityOf(process.pid)) ?? '';
  const startedAt = Date.now();
  const choosePort = portChooser(to.firstPort);
  const deaths = new Deaths(to.env, to.log);
  let children: Child[] = [];
  const record = (): SupervisorRecord => ({
    version: 1,
    pid: process.pid,
    identity,
    started_at: startedAt,
    settings: to.settings,
    services: children.map((child) => child.record),
  });
  const state = stateWriter(to.dir, record);
  const save = () =>
    state
      .save()
      .catch((error: unknown) => to.log.error({ error: String(error) }, 'supervisor.json not written'));
  // Not before its constructor has returned is a child in the list, so the first save comes after all are.
  children = to.services.map(
    (spec) =>
      new Child({
        spec,
        env: to.env,
        cwd: to.cwd,
        logDir: join(to.dir, 'logs'),
        policy: to.policy ?? defaultPolicy,
        watch: { ...defaultWatch, ...to.watch },
        log: to.log,
        choosePort,
        changed: () => void save(),
        ...(spec.kind === undefined
          ? {}
          : { died: (how) => deaths.tell({ service: spec.kind ?? '', ...how }) }),
      }),
  );
  await save();
  // This also keeps the supervisor itself alive when it has given all services up, so that it can be asked.
  const logs = to.services.map(({ name }) => join(to.dir, 'logs', `${name}.log`));
  const rotation = setInterval(() => logs.forEach((log) => void rotate(log)), 5000);
  return {
    record,
    revive() {
      for (const child of children) child.revive();
    },
    async stop(deadlineMs) {
      clearInterval(rotation);
      deaths.stop();
      await Promise.all(children.map((child) => child.stop(deadlineMs)));
      await save();
    },
  };
}

/** Each port once: a service that is started again gets another one, in case somebody took its own. */
function portChooser(first: number): () => Promise<number> {
  const span = 1000;
  let next = 0;
  return async () => {
    for (let tried = 0; tried < span; tried++) {
      const port = first + (next++ % span);
      if (await isFree(port)) return port;
    }
    // The service takes a free one itself then, and nobody can ask it; that it is never ready says so.
    return 0;
  };
}
