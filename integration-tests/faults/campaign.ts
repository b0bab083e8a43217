import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { writeHistory } from '#orchestrator/golden/history.ts';
import { checkCommands } from './commands.ts';
import type { Fault } from './fault.ts';
import type { FaultFigures, Figures } from './figures.ts';
import { faults } from './kinds/table.ts';
import type { Options } from './options.ts';
import type { Progress } from './progress.ts';
import { seeded } from './random.ts';
import { percentile } from './recovery.ts';
import { shapeNames } from './shapes.ts';
import { Swarm, services } from './swarm.ts';

/** Bounds the load: so many missions are under way while a fault is tried. */
const inFlight = 8;

/** Tries all wanted faults on one swarm, one after the other, and then all that the commands can check. */
export async function runCampaign(
  options: Options,
  signal: AbortSignal,
  progress: Progress,
): Promise<Figures> {
  const { say } = progress;
  const wanted = chosen(options);
  const folder = mkdtempSync(join(tmpdir(), 'ravenhelm-faults-'));
  const random = seeded(options.seed);
  const began = Date.now();
  let swarm: Swarm | null = null;
  let showing: NodeJS.Timeout | undefined;
  try {
    swarm = await Swarm.start({ folder, random, short: options.short, times: options.times, signal, say });
    showing = showProgress(swarm, progress);
    swarm.feeder.only = checkedShapes(options.shapes);
    const done: FaultFigures[] = [];
    const skipped: { fault: string; reason: string }[] = [];
    const recoveries: number[] = [];
    for (const fault of wanted) {
      const reason = fault.impossible?.(swarm) ?? null;
      if (reason !== null) {
        say(`${fault.name}: skipped: ${reason}`);
        skipped.push({ fault: fault.name, reason });
        continue;
      }
      const { figures, samples } = await tryFault(swarm, fault, options, signal);
      recoveries.push(...samples);
      done.push(figures);
      if (options.first && swarm.violations.all.length > 0) break;
    }
    if (!options.first || swarm.violations.all.length === 0) {
      await submitTheRest(swarm, options, signal);
      await checkCommands(swarm, signal);
    }
    checkMemory(swarm);
    if (options.record !== null) writeHistory(options.record, await swarm.history(signal));
    const { violations, checker, feeder, person } = swarm;
    return {
      seed: options.seed,
      form: options.short ? 'short' : 'whole',
      started_at: new Date(began).toISOString(),
      seconds: Math.round((Date.now() - began) / 1000),
      machine: {
        cores: availableParallelism(),
        memory_gb: Math.round(totalmem() / 1024 ** 3),
        node: process.version,
      },
      services,
      total: {
        lost: violations.count('lost'),
        duplicated: violations.count('duplicated'),
        stuck: violations.count('stuck'),
        wrong: violations.count('wrong'),
        missions: feeder.missions.size,
        facts: checker.facts,
        steps_repeated: swarm.repeatedSteps,
        submitted_twice: feeder.repeated,
        dead_letters: checker.deadLetters,
        reviews_answered: person.answers,
        reconciled: person.reconciled,
        recovery_p50_ms: percentile(recoveries, 50),
        recovery_p99_ms: percentile(recoveries, 99),
        longest_stall_ms: Math.max(0, ...done.map(({ longest_stall_ms }) => longest_stall_ms)),
      },
      faults: done,
      skipped,
      violations: violations.all,
      memory: swarm.memory.summary(),
    };
  } finally {
    clearInterval(showing);
    await swarm?.stop();
    if (options.keep) say(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

function chosen({ only, short }: Options): readonly Fault[] {
  const unknown = only.filter((name) => !faults.some((fault) => fault.name === name));
  if (unknown.length > 0) {
    const known = faults.map(({ name }) => name).join(', ');
    throw new Failure('invalid_arguments', `--only: found ${unknown.join(', ')}, expected some of ${known}`);
  }
  if (only.length > 0) return faults.filter(({ name }) => only.includes(name));
  return faults.filter(({ long }) => !short || long !== true);
}

function checkedShapes(shapes: readonly string[]): readonly string[] {
  const unknown = shapes.filter((name) => !shapeNames.includes(name));
  if (unknown.length === 0) return shapes;
  const found = `found ${unknown.join(', ')}, expected some of ${shapeNames.join(', ')}`;
  throw new Failure('invalid_arguments', `--shapes: ${found}`);
}

async function tryFault(
  swarm: Swarm,
  fault: Fault,
  options: Options,
  signal: AbortSignal,
): Promise<{ figures: FaultFigures; samples: number[] }> {
  const { checker, feeder, violations, recovery, members } = swarm;
  swarm.say(`${fault.name}: ${fault.how}`);
  const began = Date.now();
  const before = {
    missions: feeder.missions.size,
    violations: violations.all.length,
    models: checker.repeatedModelCalls,
    tools: checker.repeatedToolCalls,
    crashes: members.crashes,
  };
  recovery.take();
  checker.longestStall = 0;
  feeder.start(inFlight);
  await swarm.underWay(inFlight / 2, signal);
  const injected = await fault.inject(swarm, swarm.settings.random.fork(fault.name), signal);
  feeder.stop();
  await swarm.whole(signal);
  await swarm.settle(options.patience * 1000, signal);
  checker.trustClocks = true;
  const samples = recovery.take();
  const figures: FaultFigures = {
    fault: fault.name,
    how: fault.how,
    injected,
    missions: feeder.missions.size - before.missions,
    seconds: Math.round((Date.now() - began) / 1000),
    lost: violations.count('lost', before.violations),
    duplicated: violations.count('duplicated', before.violations),
    stuck: violations.count('stuck', before.violations),
    wrong: violations.count('wrong', before.violations),
    recovery_p50_ms: percentile(samples, 50),
    recovery_p99_ms: percentile(samples, 99),
    longest_stall_ms: Math.round(checker.longestStall),
    model_calls_repeated: checker.repeatedModelCalls - before.models,
    tool_calls_repeated: checker.repeatedToolCalls - before.tools,
    crashes: members.crashes - before.crashes,
  };
  const { missions, seconds, lost, duplicated, stuck, wrong } = figures;
  swarm.say(
    `  ${missions} missions, ${seconds} s: lost ${lost}, duplicated ${duplicated}, stuck ${stuck}, wrong ${wrong}; ` +
      `recovery p99 ${figures.recovery_p99_ms ?? '–'} ms; ${JSON.stringify(injected)}`,
  );
  return { figures, samples };
}

/** What the faults left of the missions that were asked for, in peace: the swarm is still whole. */
async function submitTheRest(
  swarm: Swarm,
  { missions, patience }: Options,
  signal: AbortSignal,
): Promise<void> {
  const left = missions - swarm.feeder.missions.size;
  if (left <= 0) return;
  swarm.say(`${left} more missions, in peace`);
  swarm.feeder.start(inFlight * 2, left);
  while (swarm.feeder.missions.size < missions) await new Promise((done) => setTimeout(done, 100));
  await swarm.settle(patience * 1000, signal);
}

/** Megabytes a minute, over three minutes or more: what grows like that would not live for a day. */
const mostGrowth = 5;

function checkMemory({ memory, violations }: Swarm): void {
  for (const [service, { mb_per_minute }] of Object.entries(memory.summary())) {
    if (mb_per_minute !== null && mb_per_minute > mostGrowth)
      violations.add('wrong', service, `its memory grows by ${mb_per_minute} MB a minute`);
  }
}

function showProgress({ feeder, checker, violations, members }: Swarm, progress: Progress): NodeJS.Timeout {
  return setInterval(() => {
    const { all } = violations;
    progress.now(
      `${feeder.missions.size} missions, ${feeder.open.length} under way, ${checker.facts} facts, ` +
        `${members.starts} starts, ${all.length} violations`,
    );
  }, 500);
}
