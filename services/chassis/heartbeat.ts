import { hostname } from 'node:os';
import { v7 as uuid } from 'uuid';
import type { AgentHealthPayload } from '#schemas/types.gen.ts';
import { codeVersion } from './code-version.ts';
import type { Service, ServiceContext } from './service-context.ts';

export const beatEveryMs = 5000;
/** What one health event has room for. */
const mostProblems = 50;
const longestProblem = 500;
/** How often it is looked whether a process that starts is ready, so that this is known at once. */
const startingEveryMs = 100;

/** Says every few seconds, on the health topic, that this process is alive and how busy it is; and when it is ready. */
export function startHeartbeat(
  context: ServiceContext,
  name: string,
  service: Service,
): { stop(): Promise<void> } {
  const { agent, codec, publisher, topics, log, now } = context;
  const startedAt = now();
  let announced = false;

  async function beat(state: string): Promise<void> {
    const { roles, running, capacity, pools = [], problems = [] } = service.vitals();
    const value = codec.encode(
      healthEvent(now(), {
        agent,
        service: name,
        roles: [...roles],
        pid: process.pid,
        host: hostname(),
        state,
        running,
        capacity,
        started_at: startedAt,
        code_version: codeVersion,
        pools,
        reason: state === 'stopped' ? '' : (service.reason?.() ?? ''),
        problems: problems.slice(0, mostProblems).map((line) => line.slice(0, longestProblem)),
      }),
    );
    await publisher.send(topics.health, [{ key: agent, value }]);
  }

  /** From here on the role can take work: its groups are joined, and all that it holds of them is acquired. */
  async function announce(): Promise<void> {
    const { roles } = service.vitals();
    const records = (roles.length === 0 ? [''] : roles).map((role) => ({
      key: `${agent}/${role === '' ? name : role}`,
      value: codec.encode({
        ...envelope(now(), agent),
        event_type: 'service_ready',
        payload: { service: name, role, agent },
      }),
    }));
    await publisher.send(topics.health, records);
  }

  const noted = (sent: Promise<void>): Promise<void> =>
    sent.catch((error: unknown) => log.debug({ error: String(error) }, 'health event not sent'));
  const say = (state: string): Promise<void> => noted(beat(state));
  const look = (): void => {
    const ready = service.ready();
    void say(ready ? 'running' : 'starting');
    if (!ready || announced) return;
    announced = true;
    clearInterval(starting);
    void noted(announce());
  };
  const starting = setInterval(() => {
    if (service.ready()) look();
  }, startingEveryMs);
  const timer = setInterval(look, beatEveryMs);
  starting.unref();
  timer.unref();
  look();
  return {
    async stop() {
      clearInterval(starting);
      clearInterval(timer);
      await say('stopped');
    },
  };
}

const envelope = (timestamp: number, source_agent: string) => ({
  event_id: uuid(),
  source_agent,
  target_agent: '',
  timestamp,
  version: 1,
  correlation_id: '',
  causation_id: '',
  priority: 'low' as const,
  sequence: 0,
  previous_hash: '',
});

/** Of an agent: by itself, or by who saw it end. */
export const healthEvent = (timestamp: number, payload: AgentHealthPayload, by = payload.agent) => ({
  ...envelope(timestamp, by),
  event_type: 'agent_health' as const,
  payload,
});
