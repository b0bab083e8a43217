import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { checkedMissionId, missionCommand, newMissionId, sendCommand } from '../mission-command.ts';
import { readMission } from '../mission-input.ts';

export interface SubmitOptions {
  readonly id?: string;
}

/** Submits a mission and prints its id alone. */
export async function submit(io: Invocation, given: string, options: SubmitOptions): Promise<ExitCode> {
  const id = options.id === undefined ? newMissionId() : checkedMissionId(options.id);
  const mission = await readMission(given, io.env);
  const command = missionCommand(id, { event_type: 'mission_submitted', ...mission }, Date.now());
  const submitted = await withConnection(io, (connection) => sendCommand(connection, command));
  if (io.output.json) io.output.document(submitted);
  else io.output.line(submitted.mission_id);
  return 0;
}

export interface CancelOptions {
  readonly reason?: string;
}

/** Asks for a mission to be cancelled; that it is shows on the ledger. */
export async function cancel(io: Invocation, mission: string, options: CancelOptions): Promise<ExitCode> {
  const id = checkedMissionId(mission);
  const reason = options.reason ?? '';
  const command = missionCommand(id, { event_type: 'mission_cancelled', reason }, Date.now());
  const submitted = await withConnection(io, (connection) => sendCommand(connection, command));
  if (io.output.json) io.output.document(submitted);
  else io.output.line(`Asked to cancel ${id}. \`ravenhelm watch ${id}\` shows how it ends.`);
  return 0;
}
