/** What the front matter of a role says of its model. */
import { z } from 'zod';

const provider = z.enum(['anthropic', 'openai', 'ollama']);
const name = z.string().min(1);
const ref = z.strictObject({ provider, name });

/** How far up in the swarm a role stands. */
export const tierFrontMatter = z.enum(['worker', 'synthesizer', 'executive', 'planner']).default('worker');

export type Tier = z.output<typeof tierFrontMatter>;

export const modelFrontMatter = z.strictObject({
  provider,
  name,
  temperature: z.number().min(0).max(2).optional(),
  /** The most tokens of one answer. */
  max_tokens: z.int().min(1).max(1_000_000).optional(),
  /** Asked in this order when the model is out, or has no key. */
  fallback: z.array(ref).default([]),
  /** For a mission that goes on with less money. */
  cheaper: ref.optional(),
});

export type RoleModel = Readonly<z.output<typeof modelFrontMatter>>;

/** The higher, the less is left to chance. */
const temperatures: Readonly<Record<Tier, number>> = {
  worker: 0.7,
  synthesizer: 0.4,
  executive: 0.2,
  planner: 0.2,
};

/** The temperature that a role's model is asked for; a model that takes none ignores it. */
export const temperatureOf = (role: { readonly model: RoleModel | null; readonly tier: Tier }): number =>
  role.model?.temperature ?? temperatures[role.tier];
