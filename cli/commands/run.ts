import { Failure } from '#chassis/failures.ts';
import type { MissionFields } from '#missions/load.ts';
import { supervisorRuns } from '#supervisor/control.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { factLine } from '../fact-line.ts';
import type { Invocation } from '../invocation.ts';
import { knownAlready, statusOf } from '../known-mission.ts';
import { placeOfMission, readLedger } from '../ledger.ts';
import { checkedMissionId, newCommand, newMissionId, secretsNote, sendCommand } from '../mission-command.ts';
import type { MissionFlags } from '../mission-flags.ts';
import { foldMission, type MissionFold } from '../mission-fold.ts';
import { readMission } from '../mission-input.ts';
import { linesBelow, type MissionShow, showMission, summaryLines } from '../mission-show.ts';
import type { Output } from '../output.ts';
import { checkPlanOutput, type PlanOutput, showPlan } from '../plan-output.ts';

export interface RunOptions extends MissionFlags, PlanOutput {
  readonly id?: string;
  readonly plain?: boolean;
}

/** After this long without a word it is said that nobody seems to be there. */
const silenceMs = 8000;

/**
 * Submits a mission and follows it to its end, or to its plan where only that is wanted. Ctrl-C stops the following, not
 * the mission.
 */
export async function run(io: Invocation, given: string, options: RunOptions): Promise<ExitCode> {
  const id = options.id === undefined ? newMissionId() : checkedMissionId(options.id);
  const mission = await readMission(given, io.env, options);
  const note = secretsNote(mission);
  if (note !== '') io.output.note(note);
  const planOnly = mission.options?.plan_only === true;
  checkPlanOutput(io.output.json, planOnly, options);
  return withConnection(io, async (connection) => {
    await refuseWithoutServices(connection);
    // The place first, so that no fact can come before we listen.
    const [{ partition, next }] = await Promise.all([
      placeOfMission(connection, id),
      connection.codec(),
      connection.publisher(),
    ]);
    const status = options.id === undefined ? null : await statusOf(connection, id, io.signal);
    if (status !== null) throw knownAlready(id, status);
    const fold = foldMission();
    const show = planOnly ? showPlanning(io.output) : showMission(io.output, fold, options.plain === true);
    const reading = follow(io, connection, id, new Map([[partition, next]]), fold, show);
    const command = newCommand(id, { event_type: 'mission_submitted', ...mission }, Date.now());
    await Promise.all([sendCommand(connection, command), reading]);
    if (!fold.over || !planOnly) return tellEnd(io, fold, id);
    return tellPlan(io, fold, options, mission);
  });
}

/** Follows a mission from the given offsets until it is over or the signal comes. */
export async function follow(
  { output, signal }: Invocation,
  connection: Connection,
  mission: string,
  from: ReadonlyMap<number, number>,
  fold: MissionFold,
  show: MissionShow,
): Promise<void> {
  const silence = setTimeout(() => {
    output.note(
      `No answer for ${silenceMs / 1000} s yet. Is an orchestrator running? \`ravenhelm status\` tells.`,
    );
  }, silenceMs);
  try {
    await readLedger(connection, {
      mission,
      from,
      until: 'follow',
      signal,
      each({ fact }) {
        clearTimeout(silence);
        fold.add(fact);
        show.fact(fact);
        return !fold.over;
      },
    });
  } finally {
    clearTimeout(silence);
    show.end();
  }
}

/** The plan goes to standard output, whatever leads to it beside it. */
function showPlanning(output: Output): MissionShow {
  return {
    fact(fact) {
      output.note(factLine(fact));
      for (const line of fact.event_type === 'review_requested' ? linesBelow(fact, output.colors) : []) {
        output.note(`  ${line}`);
      }
    },
    end: () => undefined,
  };
}

/** Exits 0 when there is a plan. */
function tellPlan(io: Invocation, fold: MissionFold, options: RunOptions, mission: MissionFields): ExitCode {
  if (fold.state?.status === 'completed' && showPlan(io, fold, options, mission)) return 0;
  const { state, failure } = fold;
  if (io.output.json) {
    io.output.document({ mission_id: state?.mission_id, status: state?.status, ...failure, tasks: null });
  } else for (const line of summaryLines(fold, io.output.colors)) io.output.note(line);
  return 1;
}

function tellEnd({ output }: Invocation, fold: MissionFold, id: string): ExitCode {
  if (!fold.over) {
    output.note(`\nThe mission goes on without you. Its id: ${id}`);
    output.note(`  ravenhelm watch ${id}    follow it again`);
    output.note(`  ravenhelm cancel ${id}   end it`);
    return 130;
  }
  if (!output.json) for (const line of ['', ...summaryLines(fold, output.colors)]) output.line(line);
  switch (fold.state?.status) {
    case 'completed':
      return 0;
    case 'rejected':
      return 2;
    default:
      return 1;
  }
}

/** A local stack without services would take the mission, and nobody would ever run it. */
async function refuseWithoutServices({ address, place }: Connection): Promise<void> {
  if (address.kind === 'given' || (await supervisorRuns(place.home))) return;
  throw new Failure('services_not_running', 'Kafka runs, but the services do not');
}
