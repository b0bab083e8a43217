import type { Database } from './database.ts';
import { quoted } from './schema-name.ts';

/** A question to a person, with the mission that it is about. */
export interface Review {
  readonly mission_id: string;
  readonly review_id: string;
  /** Empty: it is about the whole mission. */
  readonly task_id: string | null;
  /** tool_call, reconcile, plan or budget. */
  readonly kind: string | null;
  readonly reason: string | null;
  readonly tool: string | null;
  /** JSON text. */
  readonly arguments: string | null;
  readonly arguments_hash: string | null;
  /** waiting, the decision, or expired. */
  readonly status: string;
  readonly reviewer: string | null;
  readonly comment: string | null;
  readonly requested_at: Date | null;
  /** Null: never. */
  readonly expires_at: Date | null;
  readonly completed_at: Date | null;
  readonly mission_name: string;
  readonly mission_brief: string;
  readonly mission_status: string;
}

export interface ReviewFilter {
  readonly mission?: string;
  /** Those that wait for nobody any more, too. */
  readonly all?: boolean;
  /** Only those whose id begins with this text. */
  readonly prefix?: string;
  readonly limit?: number;
}

/**
 * Reviews of missions that run, the oldest question first: of a task that has ended, or gone on otherwise, nobody has
 * to be asked, unless it is a compensation that failed. Throws Failure `database_unavailable` when there is no answer.
 */
export function listReviews(
  database: Pick<Database, 'query'>,
  schema: string,
  { mission, all = false, prefix, limit = 1000 }: ReviewFilter = {},
): Promise<Review[]> {
  const table = (name: string) => `${quoted(schema)}.${name}`;
  return database.query<Review>(
    `select r.*, m.name as mission_name, m.brief as mission_brief, m.status as mission_status
       from ${table('reviews')} r join ${table('missions')} m using (mission_id)
       left join ${table('tasks')} t on t.mission_id = r.mission_id and t.task_id = r.task_id
      where ($1::text is null or r.mission_id = $1)
        and ($2::boolean or (r.status = 'waiting' and m.status in ('planning', 'running', 'compensating', 'suspended')
             and (coalesce(r.task_id, '') = '' or t.status = 'parked'
                  or (r.kind = 'compensation' and t.status = 'failed'))))
        and ($3::text is null or starts_with(r.review_id, $3))
      order by r.requested_at, r.mission_id, r.review_id limit $4`,
    [mission ?? null, all, prefix ?? null, limit],
  );
}

/** The books of a mission. Amounts of money are billionths of a US dollar; a limit that is null is none. */
export interface MissionBudget {
  readonly mission_id: string;
  readonly at_limit: string | null;
  readonly max_tokens: number | null;
  readonly max_cost_nanos: number | null;
  readonly max_calls: number | null;
  readonly reserved_tokens: number | null;
  readonly reserved_cost_nanos: number | null;
  readonly reserved_calls: number | null;
  readonly spent_tokens: number | null;
  /** Null: not known. */
  readonly spent_cost_nanos: number | null;
  readonly spent_calls: number | null;
  readonly updated_at: Date | null;
}

/** Null: the mission has no budget, or is not known (yet). */
export async function missionBudget(
  database: Pick<Database, 'query'>,
  schema: string,
  mission_id: string,
): Promise<MissionBudget | null> {
  const rows = await database.query<MissionBudget>(
    `select * from ${quoted(schema)}.mission_budgets where mission_id = $1`,
    [mission_id],
  );
  return rows[0] ?? null;
}
