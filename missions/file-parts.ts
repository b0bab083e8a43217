/** What several kinds of files are made of. */
import { z } from 'zod';
import { retryProblem } from '#orchestrator/retries.ts';
import type { RetryRule } from '#schemas/types.gen.ts';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds, given as such or as "500ms", "30s", "5m", "1h"; 0: as the policy says. */
export const duration = z
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

export const count = (most: number) => z.int().min(1).max(most);

/** How attempts that fail are tried again; what is left out is any, or as the policy says. */
export const retry = {
  code: z.string().min(1).optional(),
  max_attempts: count(20).default(0),
  initial: duration.default(0),
  max: duration.default(0),
};

type RetryFile = z.output<z.ZodObject<typeof retry>>;

/** As it travels, but for the role that it is about. */
export const retryOf = ({ code = '', max_attempts, initial, max }: RetryFile): Omit<RetryRule, 'role'> => ({
  ...{ code, max_attempts },
  initial_ms: initial,
  max_ms: max,
});

const retryFields = {
  code: 'code',
  max_attempts: 'max_attempts',
  initial_ms: 'initial',
  max_ms: 'max',
} as const;

/** A rule that could never hold is refused where it stands. */
export function checkRetry(rule: RetryFile, context: z.core.$RefinementCtx): void {
  const wrong = retryProblem(retryOf(rule));
  if (wrong === null) return;
  const path = [retryFields[wrong.field]];
  context.issues.push({ code: 'custom', input: wrong.found, path, message: `expected ${wrong.expected}` });
}
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
export const call = z.record(z.string(), z.unknown()).transform((value, context): CallFile => {
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

export const id = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected letters, digits, ".", "_" and "-", at most 128');

export const model = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}\/[^\s]{1,200}$/, 'expected provider/name, like ollama/llama3.1');
