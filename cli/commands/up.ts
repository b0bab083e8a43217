import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import type { BrokerCount } from '#local/brokers.ts';
import { up as stackUp } from '#local/stack.ts';
import { runningCounts, type Started, serviceStates, startSupervisor } from '#supervisor/control.ts';
import { countsOf } from '#supervisor/services.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { placeOf, serviceEnvironment } from '../place.ts';
import { prepare } from '../prepare.ts';
import { type StepReport, showSteps } from '../steps.ts';
import { statusDocument, statusLines } from './status.ts';

export interface UpOptions {
  readonly services: boolean;
  readonly workers?: number;
  readonly orchestrators?: number;
  readonly correlators?: number;
  readonly retriers?: number;
  readonly brokers?: BrokerCount;
  /** For stacks side by side, as tests have them. */
  readonly freePorts?: boolean;
  /** Downloaded jars that several stacks share. */
  readonly jars?: string;
}

const readyWithinMs = 120_000;
/** The first of the ports on which services are asked for their health. */
const firstHealthPort = 18_100;

/** Starts whatever does not run yet and waits until all of it is ready. */
export async function up(io: Invocation, options: UpOptions): Promise<ExitCode> {
  const { output, signal, env } = io;
  const place = placeOf(env);
  const show = showSteps(output);
  const report = (step: StepReport) => show.report(step);
  let started: Started | null = null;
  try {
    const address = await stackUp({
      dir: place.home,
      signal,
      env,
      progress: report,
      ...(options.brokers === undefined ? {} : { brokers: options.brokers }),
      ...(options.freePorts ? { ports: 'free' as const } : {}),
      ...(options.jars === undefined ? {} : { jars: options.jars }),
    });
    await prepare(place, address, env, signal, report);
    if (options.services) {
      const { workers, orchestrators, correlators, retriers } = options;
      const counts = countsOf({
        ...(await runningCounts(place.home)),
        ...(workers === undefined ? {} : { worker: workers }),
        ...(orchestrators === undefined ? {} : { orchestrator: orchestrators }),
        ...(correlators === undefined ? {} : { correlator: correlators }),
        ...(retriers === undefined ? {} : { retrier: retriers }),
      });
      started = await startSupervisor({
        dir: place.home,
        cwd: place.root,
        env: serviceEnvironment(place, address, env),
        counts,
        firstPort: options.freePorts ? 20_000 + Math.floor(Math.random() * 10_000) : firstHealthPort,
        signal,
      });
      report({ step: 'services', state: 'start', note: started.replace('_', ' ') });
      await untilReady(place.home, signal, report);
    }
  } finally {
    show.end();
  }
  const status = await statusDocument(io);
  if (output.json) output.document(status, true);
  else {
    output.line(started === 'already_running' ? 'Everything was up already:' : 'Everything is up:');
    for (const line of statusLines(status, output.colors)) output.line(`  ${line}`);
    output.line(`Try: ravenhelm run missions/deploy-platform.yaml`);
  }
  return 0;
}

/** Waits until every service is ready. Throws `services_not_running` when one is given up, or it takes too long. */
async function untilReady(
  home: string,
  signal: AbortSignal,
  report: (report: StepReport) => void,
): Promise<void> {
  const step = 'services';
  for (const deadline = performance.now() + readyWithinMs; ; await sleep(100, undefined, { signal })) {
    const services = await serviceStates(home);
    const ready = services.filter(({ state }) => state === 'ready');
    const progress = { done: ready.length, total: services.length };
    const late = services.filter(({ state }) => state !== 'ready');
    if (services.length > 0 && late.length === 0) {
      report({ step, state: 'done', note: services.map(({ name }) => name).join(', ') });
      return;
    }
    report({
      step,
      state: 'progress',
      ...progress,
      note: late.map(({ name, state }) => `${name} ${state}`).join(', '),
    });
    const lost = services.find(({ state }) => state === 'given_up' || state === 'stopped');
    if (lost !== undefined || performance.now() > deadline) {
      report({ step, state: 'failed' });
      const name = lost?.name ?? late[0]?.name ?? 'the supervisor';
      const why =
        lost === undefined ? `is not ready after ${readyWithinMs / 1000} s` : 'ended again and again';
      throw new Failure('services_not_running', `${name} ${why}: \`ravenhelm logs ${name}\` tells more`);
    }
  }
}
