import { Failure } from '#chassis/failures.ts';
import {
  addSpent,
  type Spent,
  type SpentBy,
  type SpentFilter,
  type SpentOn,
  spentNothing,
} from '#projector/costs.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { checkedMissionId } from '../mission-command.ts';
import { costText } from '../money.ts';
import { askProjection } from '../projection.ts';
import { sinceTime } from '../since.ts';
import { budgetLine } from '../spent-lines.ts';
import { type Cell, table } from '../table.ts';

export interface CostOptions {
  readonly by?: SpentBy;
  readonly since?: string;
}

/** What model calls have cost: of a mission by task, or of all by role, model or day. */
export async function cost(
  io: Invocation,
  given: string | undefined,
  { by: wanted, since }: CostOptions,
): Promise<ExitCode> {
  const { output } = io;
  if (given === undefined && wanted === undefined) {
    throw new Failure('invalid_arguments', 'found neither a mission nor --by, expected one of them, or both');
  }
  const by = wanted ?? 'task';
  if (given === undefined && by === 'task') {
    throw new Failure(
      'invalid_arguments',
      '--by task: found no mission, expected one: its tasks are its own',
    );
  }
  const filter: SpentFilter = {
    ...(given === undefined ? {} : { mission: checkedMissionId(given) }),
    ...(since === undefined ? {} : { since: sinceTime(since, Date.now()) }),
  };
  const { rows, budget } = await askProjection(io, async (queries) => {
    const [found, books] = await Promise.all([
      queries.spentBy(by, filter),
      given === undefined ? null : queries.missionBudget(given),
    ]);
    if (found.length === 0 && given !== undefined && (await queries.missionDetail(given)) === null) {
      throw new Failure('not_found', `no mission ${given} (yet)`);
    }
    return { rows: found, budget: books };
  });
  const total = rows.reduce<Spent>(addSpent, spentNothing);
  if (output.json) output.document({ by, rows: rows.map(named), total: priced(total), budget }, true);
  else if (rows.length === 0) output.line('No model calls.');
  else for (const line of costLines(by, rows, total, output.screen.columns)) output.line(line);
  if (!output.json && budget !== null) {
    // Calls of attempts that have not ended are in the table already, and here in what is reserved.
    output.line(`\n${budgetLine(budget)}, at the limit: ${budget.at_limit}`);
  }
  return 0;
}

export function costLines(by: SpentBy, rows: readonly SpentOn[], total: Spent, columns?: number): string[] {
  const headings = [by, 'calls', 'input', 'output', 'cache read', 'cache write', 'cost'];
  const cells = rows.map((row) => cellsOf(row.name === '' ? '(no time)' : row.name, row));
  return table(headings, [...cells, cellsOf('total', total)], columns);
}

const cellsOf = (name: string, spent: Spent): Cell[] => [
  ...[name, spent.calls, spent.input_tokens, spent.output_tokens],
  ...[spent.cache_read_tokens, spent.cache_write_tokens, costText(spent)],
];

const named = ({ name, ...spent }: SpentOn) => ({ name, ...priced(spent) });

/** `cost_usd` is null where the cost of any call is not known; `known_cost_usd` is the sum of the others. */
function priced({ calls, unpriced, cost_nanos, ...tokens }: Spent) {
  const known_cost_usd = cost_nanos / 1e9;
  const cost_usd = unpriced === 0 ? known_cost_usd : null;
  return { calls, unpriced_calls: unpriced, cost_usd, known_cost_usd, ...tokens };
}
