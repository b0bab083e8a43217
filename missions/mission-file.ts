/** What a mission file may say. */
import { z } from 'zod';
import { call, checkRetry, count, duration, id, model, retry } from './file-parts.ts';
import { definitions, ofMissions } from './reactions-shape.ts';

export type { CallFile } from './file-parts.ts';

/** What one attempt, or the whole mission, may use up. */
const amounts = {
  tokens: z.int().min(0).optional(),
  calls: z.int().min(0).optional(),
  /** US dollars. */
  usd: z.number().min(0).max(1_000_000).optional(),
  /** Working time of agents, added up. */
  time: duration.optional(),
};
const onFailure = z.enum(['fail_fast', 'continue', 'replan', 'compensate', 'suspend']);

const task = z.strictObject({
  /** Default: `<prefix>-<role>-wave<n>`. */
  id: id.optional(),
  role: z.string().min(1),
  description: z.string().default(''),
  /** Default: all tasks of the wave before. */
  needs: z.array(z.string()).optional(),
  timeout: duration.default(0),
  max_attempts: count(100).default(0),
  /** Whether its commands may be run again after a crash; each call may say otherwise. */
  idempotent: z.boolean().optional(),
  script: z.array(call).max(1_000).optional(),
  answer: z.string().default(''),
  /** Default: as the mission, the environment or the role says. */
  model: model.optional(),
  /** It runs when all that it needs has ended, failed or not. */
  partial: z.boolean().default(false),
  /** The task is a mission of its own: what it asks for, or that as JSON. Its role is `orchestrator`. */
  mission: z.union([z.string(), z.lazy(() => subMission)]).optional(),
  /** How what it did is undone. */
  compensation: z
    .strictObject({
      description: z.string().min(1),
      script: z.array(call).max(1_000).optional(),
      answer: z.string().default(''),
    })
    .optional(),
  budget: z.strictObject(amounts).optional(),
  /** Default: as the mission. */
  priority: z.enum(['high', 'normal', 'low']).optional(),
});
/** What a mission within a mission may say. */
const subMission: z.ZodType<SubMissionFile> = z.strictObject({
  name: z.string().optional(),
  brief: z.string().optional(),
  on_failure: onFailure.optional(),
  hierarchy: z.enum(['none', 'tiers']).optional(),
  tasks: z.array(z.lazy(() => task)).optional(),
});
export interface SubMissionFile {
  readonly name?: string | undefined;
  readonly brief?: string | undefined;
  readonly on_failure?: string | undefined;
  readonly hierarchy?: string | undefined;
  readonly tasks?: readonly TaskFile[] | undefined;
}
export type AmountsFile = z.output<z.ZodObject<typeof amounts>>;
export type TaskFile = z.output<typeof task>;

export const missionFile = z
  .strictObject({
    name: z.string().default(''),
    brief: z.string().default(''),
    /** Begins the ids of tasks that have none. Default: the first word of the name. */
    id_prefix: id.optional(),
    priority: z.enum(['high', 'normal', 'low']).default('normal'),
    idempotent: z.boolean().default(false),
    limits: z
      .strictObject({
        max_in_flight: count(100_000).default(0),
        task_timeout: duration.default(0),
        lease: duration.default(0),
        max_attempts: count(100).default(0),
      })
      .prefault({}),
    deadline: duration.default(0),
    on_failure: onFailure.default('fail_fast'),
    planner: z.enum(['auto', 'model', 'heuristic']).optional(),
    /** Tasks that the planner without a model aims at. */
    agents: count(15).default(0),
    hierarchy: z.enum(['none', 'tiers']).optional(),
    plan_only: z.boolean().default(false),
    review: z.enum(['plan']).optional(),
    max_replans: count(10).default(0),
    /** By role; `default` for all others. */
    models: z.record(z.string(), model).default({}),
    budget: z
      .strictObject({
        ...amounts,
        per_task: z.strictObject(amounts).optional(),
        at_limit: z.enum(['stop', 'ask', 'cheaper']).default('stop'),
      })
      .optional(),
    ...definitions,
    ...ofMissions,
    /** What a rule leaves out is as the file of the role says, or the policy. */
    retries: z
      .array(z.strictObject({ ...retry, role: z.string().min(1).optional() }).superRefine(checkRetry))
      .max(50)
      .default([]),
    waves: z.array(z.array(task).min(1)).min(1).optional(),
    tasks: z.array(task).min(1).optional(),
  })
  .refine((mission) => !(mission.waves && mission.tasks), {
    path: ['tasks'],
    message: 'expected either waves or tasks',
  });
export type MissionFile = z.output<typeof missionFile>;
