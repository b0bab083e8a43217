/** What a mission file may say. */
import { z } from 'zod';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds, given as such or as "500ms", "30s", "5m", "1h"; 0: as the policy says. */
const duration = z
  .union([z.number(), z.string()], 'expected a duration like "30s", "5m" or milliseconds')
  .transform((value, context) => {
    const parts = /^(?<number>\d+(?:\.\d+)?)\s*(?<unit>ms|s|m|h)$/.exec(String(value));
    const ms =
      typeof value === 'number'
        ? value
        : Number(parts?.groups?.['number']) * (units[parts?.groups?.['unit'] ?? ''] ?? Number.NaN);
    if (Number.isSafeInteger(ms) && ms > 0 && ms < 2 ** 31) return ms;
    context.issues.push({
      code: 'custom',
      input: value,
      message: 'expected a duration like "30s", "5m" or milliseconds',
    });
    return z.NEVER;
  });

const count = (most: number) => z.int().min(1).max(most);
const path = z.string().min(1);
const always = { allow_failure: z.boolean().default(false) };

/** The forms of a scripted call; the key that names the form is its first. */
const callForms = {
  run: z.strictObject({
    run: z.string().min(1).max(100_000),
    idempotent: z.boolean().optional(),
    timeout: duration.default(0),
    ...always,
  }),
  write: z.strictObject({
    write: path,
    content: z.string().max(128 * 1024),
    mode: z.enum(['create', 'overwrite', 'append']).default('overwrite'),
    ...always,
  }),
  read: z.strictObject({ read: path, ...always }),
  list: z.strictObject({ list: z.string(), recursive: z.boolean().default(false), ...always }),
  tool: z.strictObject({
    tool: z.string().min(1),
    arguments: z.record(z.string(), z.unknown()).default({}),
    ...always,
  }),
} as const;

type Kind = keyof typeof callForms;
const kinds: readonly Kind[] = ['run', 'write', 'read', 'list', 'tool'];
export type CallFile = { [K in Kind]: { readonly kind: K } & z.output<(typeof callForms)[K]> }[Kind];

/** One issue for the form that was meant, where a union would say that none of five fits. */
const call = z.record(z.string(), z.unknown()).transform((value, context): CallFile => {
  const named = kinds.filter((kind) => kind in value);
  const kind = named[0];
  if (kind === undefined || named.length > 1) {
    const message = `expected one of the keys ${kinds.join(', ')}`;
    context.issues.push({ code: 'custom', input: value, message });
    return z.NEVER;
  }
  const parsed = callForms[kind].safeParse(value);
  if (parsed.success) return { kind, ...parsed.data } as CallFile;
  for (const issue of parsed.error.issues) {
    context.issues.push(
      issue.code === 'custom' ? { ...issue, input: undefined } : { ...issue, input: undefined },
    );
  }
  return z.NEVER;
});

const id = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected letters, digits, ".", "_" and "-", at most 128');

/** What one attempt, or the whole mission, may use up. */
const amounts = {
  tokens: z.int().min(0).optional(),
  calls: z.int().min(0).optional(),
  /** US dollars. */
  usd: z.number().min(0).max(1_000_000).optional(),
  /** Working time of agents, added up. */
  time: duration.optional(),
};
const model = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}\/[^\s]{1,200}$/, 'expected provider/name, like ollama/llama3.1');
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
    waves: z.array(z.array(task).min(1)).min(1).optional(),
    tasks: z.array(task).min(1).optional(),
  })
  .refine((mission) => !(mission.waves && mission.tasks), {
    path: ['tasks'],
    message: 'expected either waves or tasks',
  });
export type MissionFile = z.output<typeof missionFile>;
