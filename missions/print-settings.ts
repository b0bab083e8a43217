/** What a mission says beside its tasks, as a mission file says it. */
import type { MissionLimits, MissionOptions, RetryRule } from '#schemas/types.gen.ts';
import { amountsFile } from './options.ts';
import { reactionsFile } from './print-reactions.ts';
import { said } from './print-script.ts';

/** The fields of a mission file that say how it is carried out; defaults are left out. */
export function settingsFile(limits: MissionLimits, options: MissionOptions): Record<string, unknown> {
  const { max_in_flight, task_timeout_ms, lease_ms, max_attempts, deadline_ms } = limits;
  const within = said({ max_in_flight, task_timeout: task_timeout_ms, lease: lease_ms, max_attempts });
  const { planner, agents, hierarchy, plan_only, review, max_replans, models, retries } = options;
  return {
    ...(Object.keys(within).length === 0 ? {} : { limits: within }),
    ...said({
      deadline: deadline_ms,
      // It is what a mission has that only reacts, and cannot be said.
      planner: planner === 'none' ? '' : planner,
      ...{ agents, hierarchy, plan_only, review, max_replans },
    }),
    ...(models.length === 0 ? {} : { models: modelsFile(models) }),
    ...budgetFile(options),
    ...(retries.length === 0 ? {} : { retries: retries.map(retryFile) }),
    ...reactionsFile(options),
  };
}

const modelsFile = (models: MissionOptions['models']) =>
  Object.fromEntries(models.map(({ role, model }) => [role === '' ? 'default' : role, model]));

function budgetFile({ budget, per_task, on_exhausted }: MissionOptions): Record<string, unknown> {
  if (budget === null) return {};
  return {
    budget: {
      ...amountsFile(budget),
      ...(per_task === null ? {} : { per_task: amountsFile(per_task) }),
      ...(atLimit(on_exhausted) === 'stop' ? {} : { at_limit: on_exhausted }),
    },
  };
}

/** Nothing means the same. */
const atLimit = (on_exhausted: string): string => on_exhausted || 'stop';

const retryFile = ({ code, role, max_attempts, initial_ms, max_ms }: RetryRule) =>
  said({ code, role, max_attempts, initial: initial_ms, max: max_ms });

/** As they are when they are read again: what the files of roles say comes from these, when the mission is run. */
export const optionsAgain = (options: MissionOptions): MissionOptions => ({
  ...options,
  role_retries: [],
  on_exhausted: options.budget === null ? options.on_exhausted : atLimit(options.on_exhausted),
});
