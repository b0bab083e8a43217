import { z } from 'zod';

/** What the retrier knows of a dead letter; its bytes stay on the topic of dead letters. */
export const Letter = z.object({
  /** Of the letter on that topic; with the partition, its id. */
  partition: z.number().int().nonnegative(),
  offset: z.number().int().nonnegative(),
  /** `waiting` for a person; `queued`: it will be sent again; the others are as the events say. */
  state: z.enum(['waiting', 'queued', 'redriven', 'archived', 'parked']),
  /** Where its record was. */
  topic: z.string(),
  mission: z.string(),
  code: z.string(),
  redrives: z.number().int().nonnegative(),
  /** SHA-256 (hex) of the bytes that would be sent: as they came, or as they were edited. */
  hash: z.string(),
  recorded_at: z.number(),
  /** An assignment whose task was told that it has failed, and has gone on. */
  told: z.boolean().default(false),
  /** The request that it was queued by. */
  order: z
    .object({
      request: z.string(),
      by: z.string(),
      reason: z.string(),
      rate: z.number().nonnegative(),
      /** Its place in the queue of the partition. */
      number: z.number().int().positive(),
    })
    .nullable(),
});
export type Letter = z.output<typeof Letter>;

/** `<partition>-<offset>` on the topic of dead letters. */
export const letterId = (partition: number, offset: number): string => `${partition}-${offset}`;

/** Null when it is no id. */
export function readLetterId(id: string): { readonly partition: number; readonly offset: number } | null {
  const [, partition, offset] = /^(\d{1,6})-(\d{1,15})$/.exec(id) ?? [];
  return partition === undefined || offset === undefined
    ? null
    : { partition: Number(partition), offset: Number(offset) };
}
