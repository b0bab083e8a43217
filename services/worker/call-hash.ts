/** A tool call in the one form that policy, people and approvals speak of. */
import { hash } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';

const DEEPEST = 64;

/**
 * Arguments as a tool gets them: an object. Throws `invalid_arguments` for what is none, and for what two readers may
 * take for different things: a key `__proto__`, or nesting deeper than 64. Of a key given twice the last one counts,
 * as it does for the tool.
 */
export function parseArguments(argumentsJson: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(argumentsJson === '' ? '{}' : argumentsJson);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure('invalid_arguments', `found arguments that are not JSON (${why}), expected an object`);
  }
  if (!isObject(value))
    throw new Failure('invalid_arguments', 'found arguments that are no object, expected one');
  check(value, 1);
  return value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function check(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > DEEPEST)
    throw new Failure('invalid_arguments', `found arguments nested deeper than ${DEEPEST}`);
  if (Object.hasOwn(value, '__proto__'))
    throw new Failure('invalid_arguments', 'found an argument named __proto__');
  for (const inner of Object.values(value)) check(inner, depth + 1);
}

/**
 * The arguments in their one form: keys sorted by code unit, no spaces, each key once. This is what a person who is
 * asked about the call has to see. Throws `invalid_arguments`.
 */
export const canonicalArguments = (argumentsJson: string): string => canonical(parseArguments(argumentsJson));

/**
 * What an approval is bound to: SHA-256 (hex) of the canonical JSON `{"arguments": …, "tool": …}`. Throws
 * `invalid_arguments` for arguments that no tool would take.
 */
export const hashOfCall = (tool: string, argumentsJson: string): string =>
  hash('sha256', `{"arguments":${canonicalArguments(argumentsJson)},"tool":${JSON.stringify(tool)}}`);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${parts.join(',')}}`;
}
