/** What the tools take by which agents speak to each other. */
import { z } from 'zod';
import { entryOfEvent } from '#schemas/catalog.ts';
import { topicShape } from '#worker/knowledge.ts';

/**
 * The most bytes of what one call may say. All of it is on the ledger, and much of it in the prompts of others; what is
 * handed over gets a heading before it is cut at 8 KiB.
 */
export const mostBytes = {
  context: 2 * 1024,
  value: 4 * 1024,
  handOff: 7 * 1024,
  checkpoint: 8 * 1024,
} as const;
const mostData = 8 * 1024;

const tooLong = (limit: number) =>
  `expected at most ${limit} bytes: put more into the workspace, and its path here`;

/** Text of at most so many bytes, as UTF-8. */
const text = (limit: number) =>
  z.string().refine((given) => Buffer.byteLength(given) <= limit, tooLong(limit));

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected a name like api-design: letters, digits, . _ and -');
const reason = z.string().min(1).max(500);
const reasons = z.array(z.string().min(1).max(500)).max(10);

export const decisionInput = z.strictObject({
  decision: z.string().min(1).max(1_000).describe('What was decided, in a sentence or two.'),
  reasons: reasons.min(1).describe('Why.'),
  alternatives: reasons.default([]).describe('What was not chosen.'),
});

export const checkpointInput = z.strictObject({
  name: z.string().min(1).max(128),
  content: text(mostBytes.checkpoint).describe(
    'What whoever goes on from here has to know; it takes the place of the last.',
  ),
});

export const contextInput = z.strictObject({
  scope: name.describe('What it is about, like api or style. The newest content of a scope counts.'),
  content: text(mostBytes.context).describe('Told to every task of the mission that begins from now on.'),
});

export const provideInput = z.strictObject({
  name: name.describe('The name that others require it by.'),
  value: text(mostBytes.value).describe('What whoever waits for it gets.'),
});

export const requireInput = z.strictObject({
  name: name.describe('The name under which another task provides it.'),
  reason: reason.describe('What it is needed for.'),
});

export const handOffInput = z.strictObject({
  role: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected the name of a role: lower-case letters, digits and _')
    .describe('The role that goes on with your task.'),
  context: text(mostBytes.handOff).default('').describe('What it has to know of what you did and found.'),
  reason: reason.describe('Why the task is better there.'),
});

/** An event named as those of the ledger would be taken for one of them by whoever waits for it. */
const eventName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/, 'expected a name like ApiDesigned: letters, digits, . _ and -')
  .refine(
    (given) => entryOfEvent(given) === undefined,
    'expected a name of your own: the ledger has events of this one',
  );

export const emitInput = z.strictObject({
  name: eventName.describe('What happened, like ApiDesigned.'),
  topic: z
    .union([z.literal(''), z.string().regex(topicShape, 'expected a dotted topic like infra.tls')])
    .default('')
    .describe('A dotted topic like infra.tls.'),
  severity: z.enum(['info', 'warning', 'error', 'critical']).default('info'),
  data: z
    .record(z.string(), z.unknown())
    .default({})
    .refine((data) => Buffer.byteLength(JSON.stringify(data)) <= mostData, tooLong(mostData))
    .describe('What belongs to it, for those who react to it.'),
});
