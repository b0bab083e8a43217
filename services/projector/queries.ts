import type { MissionPolicy } from '#schemas/types.gen.ts';
import { type SpentBy, type SpentFilter, spentBy } from './costs.ts';
import type { Database } from './database.ts';
import { listReviews, type MissionBudget, missionBudget, type ReviewFilter } from './review-queries.ts';
import type { AttemptRow, MissionRow, TaskRow, TimelineRow } from './rows.ts';
import { quoted } from './schema-name.ts';

/** What people's commands and the console read. Times are Dates; null: not yet, or not known. */

type Times<Row, Field extends keyof Row> = Omit<Row, Field> & { readonly [F in Field]: Date | null };

export type Mission = Times<MissionRow, 'created_at' | 'updated_at' | 'ended_at' | 'deadline_at'> & {
  readonly policy: MissionPolicy;
};
export type Task = Times<TaskRow, 'started_at' | 'ended_at' | 'retry_at'>;
export type Attempt = Times<
  { readonly [F in keyof AttemptRow]-?: Exclude<AttemptRow[F], undefined> | null },
  'assigned_at' | 'started_at' | 'ended_at' | 'retry_at'
> &
  Pick<AttemptRow, 'mission_id' | 'task_id' | 'attempt' | 'status' | 'lease'>;
export type Fact = Times<TimelineRow, 'at'>;

export interface MissionDetail {
  readonly mission: Mission;
  /** In the order of the plan. */
  readonly tasks: readonly Task[];
  readonly attempts: readonly Attempt[];
  /** Missions that tasks of this one are, in the order of their beginning. */
  readonly children: readonly ChildMission[];
  readonly budget: MissionBudget | null;
}

export type ChildMission = Pick<Mission, 'mission_id' | 'name' | 'status' | 'tasks' | 'completed'> & {
  readonly parent_task_id: string;
};

export interface Agent {
  readonly agent: string;
  readonly service: string;
  readonly roles: readonly string[];
  readonly pid: number;
  readonly host: string;
  readonly state: string;
  readonly running: number;
  readonly capacity: number;
  readonly code_version: string;
  readonly started_at: Date | null;
  readonly seen_at: Date | null;
}

export interface DeadLetter {
  /** Of the dead letter itself, where its bytes are. */
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Where it came from. */
  readonly topic: string;
  readonly topic_partition: number | null;
  readonly topic_offset: number | null;
  /** The service that could not take it. */
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly redrives: number;
  readonly schema_id: number | null;
  readonly size: number;
  readonly code_version: string;
  readonly failed_at: Date | null;
  readonly produced_at: Date | null;
  /** new (the retrier has not seen it), waiting, redriven, archived or parked. */
  readonly state: string;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
}

export interface Step {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly step: number;
  readonly kind: 'model' | 'tool';
  readonly role: string;
  readonly agent: string;
  readonly lease: number;
  readonly sequence: number;
  readonly partition: number;
  readonly offset: number;
  readonly status: 'started' | 'ok' | 'failed';
  readonly name: string;
  readonly provider: string | null;
  readonly effect: string | null;
  readonly input: string | null;
  readonly output: string | null;
  readonly tool_calls: readonly unknown[] | null;
  readonly truncated: boolean | null;
  readonly stop_reason: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly duration_ms: number | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_tokens: number | null;
  readonly cache_write_tokens: number | null;
  readonly cost_usd: number | null;
}

export interface ProjectionError {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly code: string;
  readonly message: string;
}

const mostRows = 1000;

/** The reading side of a projection. Every function throws Failure `database_unavailable` when there is no answer. */
export function openQueries(database: Database, schema: string) {
  const table = (name: string) => `${quoted(schema)}.${name}`;

  return {
    /** Newest first. */
    listMissions({ status, limit = 100 }: { readonly status?: string; readonly limit?: number } = {}) {
      return database.query<Mission>(
        `select * from ${table('missions')} where $1::text is null or status = $1
          order by created_at desc, mission_id limit $2`,
        [status ?? null, limit],
      );
    },

    /** Null when there is no such mission (yet). */
    async missionDetail(mission_id: string): Promise<MissionDetail | null> {
      const [missions, tasks, attempts, children, budget] = await Promise.all([
        database.query<Mission>(`select * from ${table('missions')} where mission_id = $1`, [mission_id]),
        database.query<Task>(
          `select * from ${table('tasks')} where mission_id = $1 order by compensates <> '', wave, position`,
          [mission_id],
        ),
        database.query<Attempt>(
          `select * from ${table('attempts')} where mission_id = $1 order by task_id, attempt`,
          [mission_id],
        ),
        database.query<ChildMission>(
          `select mission_id, name, status, tasks, completed, parent_task_id from ${table('missions')}
            where parent_mission_id = $1 order by created_at, mission_id`,
          [mission_id],
        ),
        missionBudget(database, schema, mission_id),
      ]);
      const [mission] = missions;
      return mission === undefined ? null : { mission, tasks, attempts, children, budget };
    },

    /** Of the newest missions first, then in the order of the plan. */
    listTasks(
      filter: {
        readonly mission?: string;
        readonly role?: string;
        readonly status?: string;
        readonly limit?: number;
      } = {},
    ) {
      return database.query<Task>(
        `select t.* from ${table('tasks')} t join ${table('missions')} m using (mission_id)
          where ($1::text is null or mission_id = $1) and ($2::text is null or t.role = $2)
            and ($3::text is null or t.status = $3)
          order by m.created_at desc, mission_id, t.wave, t.position limit $4`,
        [filter.mission ?? null, filter.role ?? null, filter.status ?? null, filter.limit ?? mostRows],
      );
    },

    /** Those that were heard of last come first. */
    listAgents() {
      return database.query<Agent>(
        `select * from ${table('agents')} order by seen_at desc nulls last, agent limit ${mostRows}`,
      );
    },

    listDeadLetters({ limit = 100 }: { readonly limit?: number } = {}) {
      return database.query<DeadLetter>(
        `select l.*, coalesce(d.decision, 'new') as state, d.decided_by, d.decided_at
           from ${table('dead_letters')} l
           left join lateral (
             select case decision when 'recorded' then 'waiting' else decision end as decision, decided_by, decided_at
               from ${table('dead_letter_decisions')}
              where letter_partition = l.partition and letter_offset = l."offset"
                and decision not in ('refused', 'edited')
              order by dead_letter_decisions."offset" desc limit 1) d on true
          order by failed_at desc nulls last, partition, "offset" desc limit $1`,
        [limit],
      );
    },

    /** The facts of a mission, in their order. */
    missionTimeline(mission_id: string) {
      return database.query<Fact>(
        `select * from ${table('timeline')} where mission_id = $1 order by sequence`,
        [mission_id],
      );
    },

    /** The calls of a task, of all its attempts. */
    listSteps({ mission, task }: { readonly mission: string; readonly task?: string }) {
      return database.query<Step>(
        `select * from ${table('steps')} where mission_id = $1 and ($2::text is null or task_id = $2)
          order by task_id, attempt, step`,
        [mission, task ?? null],
      );
    },

    /** What model calls have cost; see `costs.ts`. */
    spentBy(by: SpentBy, filter: SpentFilter = {}) {
      return spentBy(database, schema, by, filter);
    },

    /** What waits for a person, and with `all` what was answered; see `review-queries.ts`. */
    listReviews(filter: ReviewFilter = {}) {
      return listReviews(database, schema, filter);
    },

    /** Null: no budget. */
    missionBudget(mission_id: string) {
      return missionBudget(database, schema, mission_id);
    },

    /** Records that were passed over. */
    listErrors({ limit = 100 }: { readonly limit?: number } = {}) {
      return database.query<ProjectionError>(
        `select * from ${table('projection_errors')} order by topic, partition, "offset" desc limit $1`,
        [limit],
      );
    },
  };
}

export type Queries = ReturnType<typeof openQueries>;
