/** YAML or JSON of people, held against a schema: everything that is wrong is said at once, each with its place. */
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { describeIssue, Places } from './places.ts';

/** A mission travels in one record. */
const FILE_LIMIT = 900_000;
/** A file of nonsense has a problem at every character. */
const mostProblems = 50;
const longestProblem = 1_000;

export interface ReadFile<T> {
  readonly data: T;
  readonly places: Places;
  /** A Failure `invalid_mission` that lists these problems. */
  readonly refuse: (problems: readonly string[]) => Failure;
}

/** Throws one `invalid_mission` that lists every error as `file:line:column: where: found …, expected …`. */
export function readFile<T>(text: string, file: string, schema: z.ZodType<T>): ReadFile<T> {
  if (Buffer.byteLength(text) > FILE_LIMIT) {
    throw new Failure(
      'invalid_mission',
      `${file}: found ${Buffer.byteLength(text)} bytes, expected at most ${FILE_LIMIT}`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const places = new Places(document, lines, file);
  const refuse = (problems: readonly string[]) =>
    new Failure(
      'invalid_mission',
      problems
        .slice(0, mostProblems)
        .map((problem) => problem.slice(0, longestProblem))
        .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
        .concat(problems.length > mostProblems ? [`… and ${problems.length - mostProblems} more`] : [])
        .join('\n'),
    );
  if (document.errors.length > 0) {
    throw refuse(
      document.errors.map((error) => places.at(error.pos[0], `not YAML or JSON: ${error.message}`)),
    );
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    throw refuse([places.at(0, error instanceof Error ? error.message : String(error))]);
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success)
    throw refuse(parsed.error.issues.flatMap((issue) => describeIssue(issue, content, places)));
  return { data: parsed.data, places, refuse };
}
