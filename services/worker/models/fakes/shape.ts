/** Reading a request's JSON by a zod schema, and the first thing that is wrong with it in the provider's own words. */
import type { z } from 'zod';

export interface Wrong {
  readonly path: readonly (string | number)[];
  /** What is at the path; undefined where it is missing. */
  readonly found: unknown;
  readonly issue: z.core.$ZodIssue;
}

export type Shaped<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly wrong: Wrong };

export function shaped<T>(schema: z.ZodType<T>, body: unknown): Shaped<T> {
  const result = schema.safeParse(body);
  if (result.success) return { ok: true, value: result.data };
  const { issue, path } = deepest(result.error.issues[0] as z.core.$ZodIssue, []);
  return { ok: false, wrong: { issue, path, found: at(body, path) } };
}

/** Of the branches of a union the one that got furthest is what the client meant. */
function deepest(
  issue: z.core.$ZodIssue,
  before: readonly (string | number)[],
): { issue: z.core.$ZodIssue; path: (string | number)[] } {
  const path = [...before, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { issue, path };
  const branches = issue.errors.flatMap((errors) => (errors[0] ? [deepest(errors[0], path)] : []));
  return branches.reduce(
    (best, next) => (next.path.length > best.path.length ? next : best),
    branches[0] ?? { issue, path },
  );
}

function at(body: unknown, path: readonly (string | number)[]): unknown {
  let value = body;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How JSON calls a value's type. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

/** `messages[0].content`, or with dots `messages.0.content`. */
export function pathText(path: readonly (string | number)[], style: 'brackets' | 'dots'): string {
  if (style === 'dots') return path.join('.');
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
