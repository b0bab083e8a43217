import type { Random } from './random.ts';
import type { Swarm } from './swarm.ts';

/** What was done, in numbers: `kills: 20`. */
export type Injected = Readonly<Record<string, number>>;

/** One way in which things go wrong. It leaves the swarm whole: what it stopped runs again when it returns. */
export interface Fault {
  /** For `--only`, and for the table. */
  readonly name: string;
  readonly how: string;
  /** Left out of the short form, which has five minutes. */
  readonly long?: true;
  /** Why it cannot be tried on this machine; null: it can. */
  readonly impossible?: (swarm: Swarm) => string | null;
  readonly inject: (swarm: Swarm, random: Random, signal: AbortSignal) => Promise<Injected>;
}
