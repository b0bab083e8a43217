import { Failure } from '#chassis/failures.ts';
import type { shownStatus } from '#orchestrator/undoing.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { knownAlready, statusOf, wasSubmitted } from '../known-mission.ts';
import { checkedMissionId, newCommand, newMissionId, secretsNote, sendCommand } from '../mission-command.ts';
import type { MissionFlags } from '../mission-flags.ts';
import { readMission } from '../mission-input.ts';

export interface SubmitOptions extends MissionFlags {
  readonly id?: string;
}

/** Submits a mission and prints its id alone. */
export async function submit(io: Invocation, given: string, options: SubmitOptions): Promise<ExitCode> {
  const id = options.id === undefined ? newMissionId() : checkedMissionId(options.id);
  const mission = await readMission(given, io.env, options);
  const note = secretsNote(mission);
  if (note !== '') io.output.note(note);
  const command = newCommand(id, { event_type: 'mission_submitted', ...mission }, Date.now());
  const submitted = await withConnection(io, async (connection) => {
    const status = options.id === undefined ? null : await statusOf(connection, id, io.signal);
    if (status !== null) throw knownAlready(id, status);
    return sendCommand(connection, command);
  });
  if (io.output.json) io.output.document(submitted);
  else io.output.line(submitted.mission_id);
  return 0;
}

const goesOn: ReadonlySet<string> = new Set<ReturnType<typeof shownStatus>>([
  'planning',
  'running',
  'suspended',
]);

export interface CancelOptions {
  readonly reason?: string;
}

/** Asks for a mission to be cancelled; that it is shows on the ledger. Exits 2 when there is none that could be. */
export async function cancel(io: Invocation, mission: string, options: CancelOptions): Promise<ExitCode> {
  const id = checkedMissionId(mission);
  const reason = options.reason ?? '';
  const command = newCommand(id, { event_type: 'mission_cancelled', reason }, Date.now());
  const submitted = await withConnection(io, async (connection) => {
    const { signal } = io;
    // One that was just submitted is only in the orchestrator's input; it takes the two in order.
    const status = await statusOf(connection, id, signal);
    if (status === null && !(await wasSubmitted(connection, id, signal))) return null;
    if (status === 'compensating') {
      const what = 'what it did is being undone, and then it ends';
      throw new Failure(
        'invalid_arguments',
        `mission ${id} has come to nothing: ${what}; nothing is cancelled`,
      );
    }
    if (status !== null && !goesOn.has(status)) {
      throw new Failure('invalid_arguments', `mission ${id} has ended (${status}): nothing is cancelled`);
    }
    return sendCommand(connection, command);
  });
  if (submitted === null) {
    io.output.fail(new Failure('not_found', `nobody has submitted a mission ${id}: nothing is cancelled`));
    return 2;
  }
  if (io.output.json) io.output.document(submitted);
  else io.output.line(`Asked to cancel ${id}. \`ravenhelm watch ${id}\` shows how it ends.`);
  return 0;
}
