import { Failure } from '#chassis/failures.ts';
import type { Status } from '#orchestrator/state.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { statusOf, wasSubmitted } from '../known-mission.ts';
import { checkedMissionId, newCommand, secretsNote, sendCommand } from '../mission-command.ts';

export interface EmitOptions {
  readonly data?: string;
  readonly topic?: string;
  readonly severity?: string;
}

const goesOn: ReadonlySet<string> = new Set<Status>(['planning', 'running']);
const nameShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Bytes of the data of an event. */
const mostData = 16 * 1024;

/** Puts an event onto the ledger of a mission that runs. Exits 2 when there is none that could take it. */
export async function emit(
  io: Invocation,
  mission: string,
  name: string,
  options: EmitOptions,
): Promise<ExitCode> {
  const id = checkedMissionId(mission);
  if (!nameShape.test(name)) {
    const expected = 'expected letters, digits, ".", "_" and "-", at most 128';
    throw new Failure('invalid_arguments', `the event's name: found ${JSON.stringify(name)}, ${expected}`);
  }
  const event = {
    name,
    topic: options.topic ?? '',
    severity: options.severity ?? '',
    data: json(options.data),
  };
  const note = secretsNote(event);
  if (note !== '') io.output.note(note);
  const command = newCommand(id, { event_type: 'event_emitted', event }, Date.now());
  const { output, signal } = io;
  const landed = await withConnection(io, async (connection) => {
    const status = await statusOf(connection, id, signal);
    if (status === null && !(await wasSubmitted(connection, id, signal))) return null;
    if (status !== null && !goesOn.has(status)) {
      throw new Failure(
        'invalid_arguments',
        `mission ${id} has ended (${status}): it takes no event any more`,
      );
    }
    return sendCommand(connection, command);
  });
  if (landed === null) {
    output.fail(new Failure('not_found', `nobody has submitted a mission ${id}: nothing is emitted`));
    return 2;
  }
  if (output.json) output.document({ ...landed, event_id: command.event_id });
  else output.line(`Emitted ${name}. \`ravenhelm events ${id}\` shows what came of it.`);
  return 0;
}

function json(text: string | undefined): string {
  if (text === undefined) return '';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_arguments', `--data: found what is not JSON (${why}), expected JSON`, {
      cause,
    });
  }
  const shortest = JSON.stringify(value);
  if (Buffer.byteLength(shortest) <= mostData) return shortest;
  const found = `found ${Buffer.byteLength(shortest)} bytes`;
  throw new Failure('invalid_arguments', `--data: ${found}, expected at most ${mostData}`);
}
