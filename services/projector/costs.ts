import type { Database } from './database.ts';
import { quoted } from './schema-name.ts';

/** What model calls used. Every call counts: of failed and repeated attempts, too. */
export interface Spent {
  readonly calls: number;
  /** Of these: calls whose cost is not known. */
  readonly unpriced: number;
  /** Sum of the costs that are known, in billionths of a US dollar. */
  readonly cost_nanos: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
}

export interface SpentOn extends Spent {
  /** The task, the role, `provider/model`, or the UTC day (`2026-11-30`; empty: a time that is none). */
  readonly name: string;
}

export const spentNothing: Spent = {
  calls: 0,
  unpriced: 0,
  cost_nanos: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
};

export function addSpent(a: Spent, b: Spent): Spent {
  return {
    calls: a.calls + b.calls,
    unpriced: a.unpriced + b.unpriced,
    cost_nanos: a.cost_nanos + b.cost_nanos,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
    cache_write_tokens: a.cache_write_tokens + b.cache_write_tokens,
  };
}

const names = {
  task: 'task_id',
  role: 'role',
  model: `provider || '/' || model`,
  day: `coalesce(to_char(at at time zone 'UTC', 'YYYY-MM-DD'), '')`,
} as const;

export type SpentBy = keyof typeof names;

export interface SpentFilter {
  readonly mission?: string;
  /** Calls that ended (or, of those that have not, began) at this time or later. */
  readonly since?: Date;
}

/** Days in their order; else the dearest first. Throws Failure `database_unavailable` when there is no answer. */
export function spentBy(
  database: Pick<Database, 'query'>,
  schema: string,
  by: SpentBy,
  { mission, since }: SpentFilter = {},
): Promise<SpentOn[]> {
  const order = by === 'day' ? 'name' : 'sum(cost_nanos) desc nulls last, calls desc, name';
  const sum = (column: string) => `coalesce(sum(${column}), 0)::bigint as ${column}`;
  return database.query<SpentOn>(
    `select ${names[by]} as name, count(*) as calls, count(*) filter (where cost_nanos is null) as unpriced,
            ${sum('cost_nanos')}, ${sum('input_tokens')}, ${sum('output_tokens')},
            ${sum('cache_read_tokens')}, ${sum('cache_write_tokens')}
       from ${quoted(schema)}.model_calls
      where ($1::text is null or mission_id = $1) and ($2::timestamptz is null or at >= $2)
      group by 1 order by ${order}`,
    [mission ?? null, since?.toISOString() ?? null],
  );
}
