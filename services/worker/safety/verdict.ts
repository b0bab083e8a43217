/** What a safety rule says. */
import { Failure } from '#chassis/failures.ts';

/** Why a rule does not let its subject pass. It quotes no secret. */
export interface Verdict {
  readonly rule: string;
  readonly reason: string;
}

/** Pure; null when there is nothing to say. Its name is the rule's, in camel case. */
export type Rule<Subject> = (subject: Subject) => Verdict | null;

export type Place = 'input' | 'output' | 'tool_arguments';

export interface Violation extends Verdict {
  readonly where: Place;
}

/** What the first of the rules says that says something. */
export function firstOf<Subject>(
  where: Place,
  rules: readonly Rule<Subject>[],
  subject: Subject,
): Violation | null {
  for (const rule of rules) {
    const verdict = rule(subject);
    if (verdict !== null) return { ...verdict, where };
  }
  return null;
}

/** `safety_violation`, which is not retried. */
export function violationFailure({ where, rule, reason }: Violation): Failure {
  return new Failure('safety_violation', `${where}, rule ${rule}: ${reason}`);
}

/** A piece of a text for a reason: one line, short. */
export const excerpt = (text: string, most = 80): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most).toWellFormed()}…`;
};
