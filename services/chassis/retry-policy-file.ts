import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { retryDelays } from '#topics/table.ts';
import { Failure, type FailureCode, isFailureCode } from './failures.ts';
import { defaultRetryPolicy, type RetryPolicy, topicKinds } from './retry-policy.ts';

const code = z.custom<FailureCode>(
  (value) => typeof value === 'string' && isFailureCode(value),
  'expected a code of docs/failures.md',
);

const rule = z
  .strictObject({
    code: code.optional(),
    topic: z.enum(topicKinds).optional(),
    role: z.string().min(1).optional(),
    mission: z.string().min(1).max(200).optional(),
    retries: z.int().min(0).max(50).optional(),
    order: z.enum(['key', 'none']).optional(),
    first: z.enum(retryDelays).optional(),
  })
  .refine(
    ({ retries, order, first }) => retries !== undefined || order !== undefined || first !== undefined,
    {
      message: 'says nothing: expected retries, order or first',
    },
  )
  .refine(({ topic, role }) => role === undefined || topic === undefined || topic === 'tasks', {
    path: ['role'],
    message: 'expected topic: tasks, or none, beside a role',
  });

const file = z.strictObject({
  rules: z.array(rule).max(1000).default([]),
  redrives: z.int().min(0).max(1000).default(defaultRetryPolicy.redrives),
});

/**
 * The policy of a file; without one, the defaults. Throws one Failure `invalid_configuration` that lists all that is
 * wrong, each with its line.
 */
export function readRetryPolicy(path: string | undefined): RetryPolicy {
  if (path === undefined) return defaultRetryPolicy;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code: reason = 'unknown' } = error as NodeJS.ErrnoException;
    throw new Failure('invalid_configuration', `RAVENHELM_RETRY_POLICY: cannot read ${path} (${reason})`);
  }
  return parseRetryPolicy(text, path);
}

export function parseRetryPolicy(text: string, name: string): RetryPolicy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => `${name}:${lines.linePos(offset).line}`;
  const broken = document.errors.map(({ message, pos }) => `${at(pos[0])}: ${message}`);
  if (broken.length > 0) throw invalid(name, broken);
  const read = file.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (read.success) return read.data as RetryPolicy;
  const wrong = read.error.issues.map(({ path, message }) => {
    const node = document.getIn(path as (string | number)[], true) as { range?: [number] } | undefined;
    const parent = document.getIn(path.slice(0, -1) as (string | number)[], true) as
      | { range?: [number] }
      | undefined;
    const offset = node?.range?.[0] ?? parent?.range?.[0] ?? 0;
    return `${at(offset)}: ${path.length === 0 ? '' : `${path.join('.')}: `}${message}`;
  });
  throw invalid(name, wrong);
}

const invalid = (name: string, lines: readonly string[]) =>
  new Failure('invalid_configuration', `The retry policy ${name} is not valid:\n  ${lines.join('\n  ')}`);
