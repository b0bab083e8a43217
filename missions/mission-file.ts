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
});
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
    on_failure: z.enum(['fail_fast', 'continue']).default('fail_fast'),
    waves: z.array(z.array(task).min(1)).min(1).optional(),
    tasks: z.array(task).min(1).optional(),
  })
  .refine((mission) => !(mission.waves && mission.tasks), {
    path: ['tasks'],
    message: 'expected either waves or tasks',
  });
export type MissionFile = z.output<typeof missionFile>;
