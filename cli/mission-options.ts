import { Failure } from '#chassis/failures.ts';
import type { MissionFields } from '#missions/load.ts';
import { orchestrator } from '#orchestrator/facts.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { Amounts, MissionOptions } from '#schemas/types.gen.ts';
import { nanosOf } from '#schemas/usage.ts';
import { failingAt } from './drill.ts';
import type { MissionFlags } from './mission-flags.ts';

/**
 * The mission with what the command line says of it, which counts more than its file. Throws Failure
 * `invalid_arguments` for an option that would change nothing: whoever gives one means something.
 */
export function withFlags(
  given: MissionFields,
  flags: MissionFlags,
  roles: ReadonlyMap<string, unknown>,
): MissionFields {
  const mission = flags.failAt === undefined ? given : failingAt(given, flags.failAt);
  const file = mission.options ?? noOptions;
  const budget = budgetOf(file.budget, flags);
  checkUse(mission, flags, budget);
  for (const { role } of flags.model ?? []) {
    if (role === '' || roles.has(role)) continue;
    const known = [...roles.keys()].join(', ');
    throw wrong('--model', `the role ${role}`, `one of ${known}, or none for all roles`);
  }
  const options: MissionOptions = {
    ...file,
    planner: flags.planner ?? file.planner,
    agents: flags.agents ?? file.agents,
    hierarchy: flags.hierarchy ?? file.hierarchy,
    plan_only: flags.planOnly ?? file.plan_only,
    review: flags.review ?? file.review,
    models: modelsOf(file.models, flags.model ?? []),
    budget,
    on_exhausted: flags.atLimit ?? file.on_exhausted,
  };
  const { onFailure: on_failure = mission.on_failure, priority = mission.priority } = flags;
  return { ...mission, on_failure, priority, options };
}

function checkUse(
  { tasks }: MissionFields,
  { agents, planner, review, planOnly, atLimit }: MissionFlags,
  budget: Amounts | null,
): void {
  const found = `a mission of ${tasks.length} tasks`;
  const brief = 'a mission without tasks: these are its plan';
  const planned = tasks.length > 0;
  if (agents !== undefined && planned) throw wrong('--agents', found, brief);
  // Missions within it are planned by whom it says.
  if (planner !== undefined && planned && !tasks.some(({ role }) => role === orchestrator)) {
    throw wrong('--planner', found, brief);
  }
  if (review !== undefined && planOnly) throw wrong('--review', '--plan-only', 'one of the two');
  if (atLimit !== undefined && budget === null) {
    const expected = '--budget-tokens, --budget-usd, --budget-calls, or a budget in the mission file';
    throw wrong('--at-limit', 'no budget', expected);
  }
}

/** A flag about a role takes the place of what the file says about it. */
function modelsOf(file: MissionOptions['models'], flags: MissionOptions['models']): MissionOptions['models'] {
  const said = new Set(flags.map(({ role }) => role));
  return [...file.filter(({ role }) => !said.has(role)), ...flags];
}

const unlimited: Amounts = { tokens: -1, calls: -1, cost_nanos: -1, time_ms: -1 };

/** Each measure that a flag limits, and the others as they were. */
function budgetOf(file: Amounts | null, { budgetTokens, budgetUsd, budgetCalls }: MissionFlags) {
  if (budgetTokens === undefined && budgetUsd === undefined && budgetCalls === undefined) return file;
  const before = file ?? unlimited;
  return {
    ...before,
    tokens: budgetTokens ?? before.tokens,
    calls: budgetCalls ?? before.calls,
    cost_nanos: budgetUsd === undefined ? before.cost_nanos : nanosOf(budgetUsd),
  };
}

const wrong = (option: string, found: string, expected: string): Failure =>
  new Failure('invalid_arguments', `${option}: found ${found}, expected ${expected}`);
