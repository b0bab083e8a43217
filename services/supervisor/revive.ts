import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { readSupervisorFile, type SupervisorRecord } from './state-file.ts';

/** Asks a supervisor to start again what it has given up. */
export const reviveSignal = 'SIGUSR2';

const seenWithinMs = 5000;

/**
 * Has a running supervisor start again what it has given up, and waits until its file says that it did, so that who
 * looks next does not see the old state. False when nothing was given up.
 */
export async function revive(dir: string, found: SupervisorRecord, signal: AbortSignal): Promise<boolean> {
  const lost = found.services.filter(({ state }) => state === 'given_up');
  if (lost.length === 0) return false;
  process.kill(found.pid, reviveSignal);
  for (const deadline = performance.now() + seenWithinMs; performance.now() < deadline; ) {
    const now = await readSupervisorFile(dir);
    const restarts = new Map(now?.services.map((service) => [service.name, service.restarts]));
    if (lost.every((service) => (restarts.get(service.name) ?? 0) > service.restarts)) return true;
    await sleep(20, undefined, { signal });
  }
  const names = lost.map(({ name }) => name).join(', ');
  throw new Failure('services_not_running', `the supervisor does not start ${names} again`);
}
