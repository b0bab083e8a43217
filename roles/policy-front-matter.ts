/** The `policy` of a role's front matter: an ordered list of rules, the first that matches wins. */
import { z } from 'zod';
import { compilePattern } from '#worker/policy-pattern.ts';

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 30 * 86_400_000;
export const DEFAULT_EXPIRES_MS = 3_600_000;

const duration = z.string().transform((value, context) => {
  const parts = /^(?<number>\d{1,9})(?<unit>[smhd])$/.exec(value)?.groups;
  const ms = Number(parts?.['number']) * (units[parts?.['unit'] ?? ''] ?? Number.NaN);
  if (ms >= 1_000 && ms <= LONGEST_MS) return ms;
  const message = `found ${JSON.stringify(value)}, expected a duration like "10m", "1h" or "2d", at most 30d`;
  context.issues.push({ code: 'custom', input: value, message });
  return z.NEVER;
});

/** A number or a boolean is taken for its text: YAML makes one of `8080` and of `true`. */
const text = z
  .union([z.string(), z.number(), z.boolean()], 'expected a pattern (text), or a list of them')
  .transform(String)
  .pipe(z.string().max(1_000));

const pattern = z
  .union([text, z.array(text).max(100)], 'expected a pattern (text), or a list of them')
  .superRefine((value, context) => {
    try {
      compilePattern(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
  });

const rule = z
  .strictObject({
    tool: z
      .string()
      .regex(/^[a-zA-Z0-9_*-]{1,64}$/, 'expected the name of a tool, in which * is any characters'),
    when: z
      .record(
        z
          .string()
          .regex(/^[^.\s]+(\.[^.\s]+)*$/, 'expected the name of an argument, or a dotted path to one'),
        pattern,
      )
      .refine((when) => Object.keys(when).length > 0, 'found no argument, expected one; or leave it out')
      .optional(),
    then: z.enum(['allow', 'ask', 'deny']),
    reason: z.string().min(1).max(500).optional(),
    expires: duration.optional(),
  })
  .superRefine((found, context) => {
    if (found.expires === undefined || found.then === 'ask') return;
    context.addIssue({
      code: 'custom',
      path: ['expires'],
      message: `found it in a rule that says ${found.then}, expected it only where a person is asked`,
    });
  })
  .transform(({ expires, ...found }) => ({
    ...found,
    /** How long a person has for an answer, in milliseconds; null unless the rule asks. */
    expires_ms: found.then === 'ask' ? (expires ?? DEFAULT_EXPIRES_MS) : null,
  }));

export const policyFrontMatter = z.array(rule).max(200).default([]);

export type PolicyRule = z.output<typeof rule>;
