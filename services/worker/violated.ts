import type { Violation } from './safety/rules.ts';

/** A safety rule has refused something: the attempt ends with the report `safety_violation`, and is not tried again. */
export class Violated extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(`${violation.rule} (${violation.where}): ${violation.reason}`);
    this.name = 'Violated';
    this.violation = violation;
  }
}

/** As the outcome of a model call holds it, so that a resume ends in the same way. */
export const violationText = ({ where, rule, reason }: Violation): string =>
  JSON.stringify({ where, rule, reason });

/** What `violationText` wrote. */
export function violationIn(text: string): Violation {
  const parsed: unknown = JSON.parse(text);
  const of = (field: string): string => {
    const value: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, field) : '';
    return typeof value === 'string' ? value : '';
  };
  const where = of('where');
  const known = where === 'input' || where === 'tool_arguments' ? where : 'output';
  return { where: known, rule: of('rule'), reason: of('reason') };
}
