import { Failure } from '#chassis/failures.ts';
import { supervisorRuns } from '#supervisor/control.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { knownAlready, statusOf } from '../known-mission.ts';
import { placeOfMission, readLedger } from '../ledger.ts';
import { checkedMissionId, newCommand, newMissionId, secretsNote, sendCommand } from '../mission-command.ts';
import { foldMission, type MissionFold } from '../mission-fold.ts';
import { readMission } from '../mission-input.ts';
import { showMission, summaryLines } from '../mission-show.ts';

export interface RunOptions {
  readonly id?: string;
  readonly plain?: boolean;
}

/** After this long without a word it is said that nobody seems to be there. */
const silenceMs = 8000;

/** Submits a mission and follows it to its end. Ctrl-C stops the following, not the mission. */
export async function run(io: Invocation, given: string, options: RunOptions): Promise<ExitCode> {
  const id = options.id === undefined ? newMissionId() : checkedMissionId(options.id);
  const mission = await readMission(given, io.env);
  const note = secretsNote(mission);
  if (note !== '') io.output.note(note);
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
    const reading = follow(io, connection, id, new Map([[partition, next]]), fold, options.plain === true);
    const command = newCommand(id, { event_type: 'mission_submitted', ...mission }, Date.now());
    await Promise.all([sendCommand(connection, command), reading]);
    return tellEnd(io, fold, id);
  });
}

/** Follows a mission from the given offsets until it is over or the signal comes. */
export async function follow(
  { output, signal }: Invocation,
  connection: Connection,
  mission: string,
  from: ReadonlyMap<number, number>,
  fold: MissionFold,
  plain: boolean,
): Promise<void> {
  const show = showMission(output, fold, plain);
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
