import { existsSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Failure } from '#chassis/failures.ts';
import { type KnownRoles, type MissionFields, parseMission } from '#missions/load.ts';
import { planFrom } from '#orchestrator/plan.ts';
import { resolvePolicy } from '#orchestrator/policy.ts';
import { loadRoles } from '#roles/load.ts';
import { retriesOfRoles } from '#roles/retries-front-matter.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { MissionFlags } from './mission-flags.ts';
import { withFlags } from './mission-options.ts';

/**
 * The mission that a person means: a file, `-` for standard input, or a brief in plain words (for which a model makes
 * the plan), with what the command line says of it. All that the orchestrator would refuse is found here, where file and line can be said.
 */
export async function readMission(
  given: string,
  env: NodeJS.ProcessEnv,
  flags: MissionFlags = {},
): Promise<MissionFields> {
  const roles = loadRoles(env['RAVENHELM_ROLES']);
  const asked = withFlags(await parse(given, roles), flags, roles);
  const role_retries = retriesOfRoles(roles, asked.limits);
  const mission = { ...asked, options: { ...(asked.options ?? noOptions), role_retries } };
  const policy = resolvePolicy(mission.limits, mission.on_failure, mission.options);
  if (mission.tasks.length > 0) planFrom(mission.tasks, policy);
  return mission;
}

async function parse(given: string, roles: KnownRoles): Promise<MissionFields> {
  if (given === '-') return fromText(await text(process.stdin), 'standard input', roles);
  if (existsSync(given)) return parseMission(readFile(given), given, { roles });
  // A brief has more than one word; one that has not is a file name with a slip in it.
  if (/\s/.test(given.trim())) return briefOnly(given);
  throw new Failure(
    'invalid_mission',
    `found no file ${given}; expected a mission file, - or a brief in quotes`,
  );
}

function fromText(content: string, name: string, roles: KnownRoles): MissionFields {
  const trimmed = content.trim();
  const isFile = trimmed.startsWith('{') || /^[a-z_]+:(\s|$)/m.test(trimmed);
  return isFile || trimmed === '' ? parseMission(content, name, { roles }) : briefOnly(trimmed);
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_mission', `${path} cannot be read: ${why}`, { cause });
  }
}

function briefOnly(brief: string): MissionFields {
  const limits = { max_in_flight: 0, task_timeout_ms: 0, lease_ms: 0, deadline_ms: 0, max_attempts: 0 };
  const about = { name: '', brief: brief.trim(), priority: 'normal' } as const;
  return { ...about, tasks: [], limits, on_failure: 'fail_fast', options: noOptions };
}
