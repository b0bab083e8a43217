import { v5 as uuidFrom } from 'uuid';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { InputRecord } from '#chassis/processor.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { MissionCommand } from '#schemas/types.gen.ts';
import { orchestrator } from './facts.ts';
import type { CancelInput, EmitInput, RefuseInput, ReviewInput, SubmitInput } from './input.ts';
import { resolvePolicy } from './policy.ts';
import { checkEmission, rolesOfReactions } from './reaction-options.ts';

/** Ids become Kafka keys and names of folders. */
const missionId = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** Namespace of ids made for records that came without one: the same record always gets the same id. */
const idNamespace = '7a1f6a0e-5d0c-5c1b-9a53-6d2f1f0b8c11';

export interface Command {
  readonly mission_id: string;
  /** What its facts are caused by. */
  readonly event_id: string;
  readonly command: MissionCommand;
}

/**
 * What a record of the missions topic asks for. A record that `rpk` made has neither key nor id: it gets an id made
 * of its topic, partition and offset. Throws Failure `unexpected_type` or `invalid_payload`.
 */
export function readCommand(record: InputRecord): Command {
  const { decoded, key, topic, partition, offset } = record;
  if (decoded.name !== 'MissionCommand') {
    throw new Failure('unexpected_type', `found ${decoded.name} on ${topic}, expected MissionCommand`);
  }
  const command = decoded.value;
  const place = `${topic}/${partition}/${offset}`;
  const mission_id = command.correlation_id || key || uuidFrom(place, idNamespace);
  if (!missionId.test(mission_id)) {
    throw new Failure(
      'invalid_payload',
      `correlation_id: found ${JSON.stringify(mission_id.slice(0, 200))}, expected 1 to 128 letters, digits or . _ : -`,
    );
  }
  return { mission_id, event_id: command.event_id || place, command };
}

/** The input for `decide`. `rules`: the version by which a new mission is decided. */
export function inputOf(
  { mission_id, command }: Command,
  traceparent: string,
  roles: ReadonlySet<string>,
  rules: number,
): SubmitInput | RefuseInput | CancelInput | EmitInput | ReviewInput {
  switch (command.event_type) {
    case 'mission_submitted':
      return submission(mission_id, command, traceparent, roles, rules);
    case 'mission_cancelled':
      return { kind: 'cancel', reason: command.reason || 'no reason given', by: command.source_agent };
    case 'review_completed': {
      const { review_id, decision, arguments_hash, source_agent: reviewer, comment } = command;
      return { kind: 'review', review_id, decision, arguments_hash, reviewer, comment };
    }
    case 'event_emitted': {
      if (command.event === null) {
        throw new Failure('invalid_payload', 'event: found nothing, expected the event to be emitted');
      }
      try {
        checkEmission(command.event, 'event');
      } catch (error) {
        throw new Failure('invalid_payload', asFailure(error).message);
      }
      return { kind: 'emit', emission: command.event, by: command.source_agent };
    }
    default: {
      const unknown: never = command.event_type;
      throw new Failure('invalid_payload', `event_type: found ${String(unknown)}`);
    }
  }
}

function submission(
  mission_id: string,
  command: MissionCommand,
  traceparent: string,
  roles: ReadonlySet<string>,
  rules: number,
): SubmitInput | RefuseInput {
  const { name, brief, tasks, priority, limits, on_failure, parent, depth } = command;
  try {
    const checkRole = (where: string, role: string) => {
      if (roles.has(role)) return;
      const known = [...roles].sort().join(', ');
      const found = `found ${JSON.stringify(role)}, expected a role that has a topic: ${known}`;
      throw new Failure('role_unknown', `${where}: ${found}`);
    };
    tasks.forEach(({ role }, position) => checkRole(`tasks[${position}].role`, role));
    const given = tasks.length > 0;
    const options = command.options ?? noOptions;
    // What only reacts needs no plan.
    const planner = options.planner || (given || options.subscriptions.length === 0 ? '' : 'none');
    if (!given && planner !== 'none' && brief.trim() === '') {
      throw new Failure('invalid_mission', 'brief: found nothing, expected a brief, tasks or subscriptions');
    }
    const hierarchy = options.hierarchy || (given ? 'none' : 'tiers');
    const policy = resolvePolicy(limits, on_failure, { ...options, hierarchy, planner });
    for (const { where, role } of rolesOfReactions(policy.options)) checkRole(where, role);
    // A plan that is made later or anew, a hand-over and a reaction are held against the roles that there are now.
    const usable = [...roles].filter((role) => role !== orchestrator).sort();
    const about = { mission_id, name, brief, tasks, policy, priority, traceparent };
    return { kind: 'submit', ...about, roles: usable, parent, depth, rules };
  } catch (error) {
    const { code, message } = asFailure(error, 'invalid_mission');
    return { kind: 'refuse', mission_id, priority, code, message, parent };
  }
}
