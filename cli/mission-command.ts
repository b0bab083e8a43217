import { v7 as uuid } from 'uuid';
import { Failure } from '#chassis/failures.ts';
import { newMissionTraceparent } from '#chassis/mission-trace.ts';
import { processScrubber } from '#chassis/secrets.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import type { MissionCommand } from '#schemas/types.gen.ts';
import type { Connection } from './connection.ts';

const idShape = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Throws `invalid_arguments` for an id that the orchestrator would not take. */
export function checkedMissionId(id: string): string {
  if (idShape.test(id)) return id;
  const expected = 'expected 1 to 128 letters, digits or . _ : -, the first a letter or digit';
  throw new Failure('invalid_arguments', `the mission's id: found ${JSON.stringify(id)}, ${expected}`);
}

export const newMissionId = (): string => uuid();

/** What differs from one command to the other; the envelope is made here. */
export type CommandFields = Partial<Omit<MissionCommand, 'event_id' | 'correlation_id' | 'timestamp'>> &
  Pick<MissionCommand, 'event_type'>;

/** What a person says stays on the log for good, so what looks like a secret is taken out before it gets there. */
export function newCommand(id: string, fields: CommandFields, now: number): MissionCommand {
  const said = processScrubber().value(fields);
  return missionCommand({ event_id: uuid(), correlation_id: id, timestamp: now, ...said });
}

/** For the person who wrote them: what `newCommand` will leave out. Empty when it is nothing. */
export const secretsNote = (fields: object): string =>
  processScrubber().value(fields) === fields
    ? ''
    : 'The mission holds what looks like a secret. It stands on the log as [secret]: give agents their secrets by the ' +
      "worker's environment.";

export interface Submitted {
  readonly mission_id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Puts a command onto the missions topic; a new mission is the root of its trace. Resolves when the broker has it. */
export async function sendCommand(connection: Connection, command: MissionCommand): Promise<Submitted> {
  const [codec, publisher] = await Promise.all([connection.codec(), connection.publisher()]);
  const value = codec.encodeRecord('MissionCommand', command);
  const topic = connection.topics.missions;
  const key = command.correlation_id;
  const headers = { traceparent: newMissionTraceparent(key) };
  const [landed] = await publisher.send(topic, [{ key, value, headers }]);
  if (landed === undefined) throw new Failure('broker_unavailable', `${topic} gave no place for the command`);
  return { mission_id: key, topic, partition: landed.partition, offset: landed.baseOffset };
}
