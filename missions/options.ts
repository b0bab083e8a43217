import { noOptions } from '#schemas/mission-command.ts';
import type { Amounts, MissionOptions } from '#schemas/types.gen.ts';
import { nanosOf, usdOf } from '#schemas/usage.ts';
import { retryOf } from './file-parts.ts';
import type { AmountsFile, MissionFile } from './mission-file.ts';

/** What a mission file says of planning and budgets, as it travels. */
export function optionsOf(mission: MissionFile): MissionOptions {
  const { planner, agents, hierarchy, plan_only, review, max_replans, models, budget, retries } = mission;
  return {
    ...noOptions,
    planner: planner ?? '',
    agents,
    hierarchy: hierarchy ?? '',
    plan_only,
    review: review ?? '',
    max_replans,
    models: Object.entries(models).map(([role, model]) => ({ role: role === 'default' ? '' : role, model })),
    budget: budget === undefined ? null : amountsOf(budget),
    per_task: budget?.per_task === undefined ? null : amountsOf(budget.per_task),
    on_exhausted: budget?.at_limit ?? '',
    retries: retries.map(({ role = '', ...rule }) => ({ ...retryOf(rule), role })),
  };
}

/** What is left out is not limited. */
export const amountsOf = ({ tokens, calls, usd, time }: AmountsFile): Amounts => ({
  tokens: tokens ?? -1,
  calls: calls ?? -1,
  cost_nanos: usd === undefined ? -1 : nanosOf(usd),
  time_ms: time ?? -1,
});

/** As a mission file says it. */
export function amountsFile({ tokens, calls, cost_nanos, time_ms }: Amounts): AmountsFile {
  return {
    ...(tokens < 0 ? {} : { tokens }),
    ...(calls < 0 ? {} : { calls }),
    ...(cost_nanos < 0 ? {} : { usd: usdOf(cost_nanos) }),
    ...(time_ms < 0 ? {} : { time: time_ms }),
  };
}
