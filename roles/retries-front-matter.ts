/** The `retries` of a role's front matter: how attempts of the role are tried again, by the code that they failed with. */
import { z } from 'zod';
import { checkRetry, retry, retryOf } from '#missions/file-parts.ts';
import type { RetryRule } from '#schemas/types.gen.ts';

export const retriesFrontMatter = z
  .array(z.strictObject(retry).superRefine(checkRetry).transform(retryOf))
  .max(50)
  .superRefine((rules, context) => {
    for (const [at, { code }] of rules.entries()) {
      const first = rules.findIndex((each) => each.code === code);
      if (first === at) continue;
      const found = code === '' ? 'a second rule without a code' : `${code} a second time`;
      const message = `found ${found}, expected one rule for it`;
      context.addIssue({ code: 'custom', path: code === '' ? [at] : [at, 'code'], message });
    }
  })
  .default([]);

/** Of one role; an empty code is any that is retried. */
export type RoleRetry = Readonly<Omit<RetryRule, 'role'>>;

/**
 * What all roles say, for a mission that is submitted now; what is on the ledger then is what holds, whatever the files
 * say later. The mission's own limit of attempts (0: it has none) is one for the roles, too.
 */
export const retriesOfRoles = (
  roles: ReadonlyMap<string, { readonly retries: readonly RoleRetry[] }>,
  { max_attempts: most }: { readonly max_attempts: number },
): RetryRule[] =>
  [...roles].flatMap(([role, { retries }]) =>
    retries.map((rule) => ({
      ...rule,
      role,
      max_attempts: most === 0 ? rule.max_attempts : Math.min(rule.max_attempts, most),
    })),
  );
