import { hostname } from 'node:os';
import { v7 as uuid } from 'uuid';
import { codeVersion } from './code-version.ts';
import type { Service, ServiceContext } from './service-context.ts';

const everyMs = 5000;

/** Says every few seconds, on the compacted health topic, that this process is alive and how busy it is. */
export function startHeartbeat(
  context: ServiceContext,
  name: string,
  service: Service,
): { stop(): Promise<void> } {
  const { agent, codec, publisher, topics, log, now } = context;
  const startedAt = now();

  async function beat(state: string): Promise<void> {
    const { roles, running, capacity } = service.vitals();
    const value = codec.encode({
      event_id: uuid(),
      event_type: 'agent_health',
      source_agent: agent,
      target_agent: '',
      timestamp: now(),
      version: 1,
      correlation_id: '',
      causation_id: '',
      priority: 'low',
      sequence: 0,
      previous_hash: '',
      payload: {
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
      },
    });
    await publisher.send(topics.health, [{ key: agent, value }]);
  }

  const say = (state: string): Promise<void> =>
    beat(state).catch((error: unknown) => log.debug({ error: String(error) }, 'health event not sent'));
  void say('running');
  const timer = setInterval(() => void say(service.ready() ? 'running' : 'starting'), everyMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await say('stopped');
    },
  };
}
