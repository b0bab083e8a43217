import { Failure } from '#chassis/failures.ts';

/**
 * The versions of the rules by which `decide` decides. A mission keeps the version that it was accepted with, named in
 * its `mission_accepted`, so that its ledger can be decided again. A change of what `decide` writes is a new version, and
 * `state.rules` chooses between the old behaviour and the new one; texts for people are no part of it.
 */
const versions: Readonly<Record<number, string>> = {
  0: 'All until versions had numbers. `decide` makes the plans that need no model (`plans-of-rules-0.ts`).',
  1: 'A plan without a model is the answer of a planning task, as that of a model: `decide` makes none.',
};

export const knownRules: ReadonlySet<number> = new Set(Object.keys(versions).map(Number));
export const newestRules = Math.max(...knownRules);

/** `0 and 1` */
export const namesOfRules = (known: ReadonlySet<number> = knownRules): string =>
  [...known].sort((a, b) => a - b).join(' and ');

/** What one orchestrator decides by. */
export interface Rules {
  readonly known: ReadonlySet<number>;
  /** The version that new missions get. */
  readonly ofNew: number;
}

/**
 * All that this version has, the newest for new missions, unless a setting pins them to another. Throws
 * `invalid_configuration` for one that is not known.
 */
export function openRules(pinned?: number, only: Iterable<number> = knownRules): Rules {
  const known = new Set([...only].filter((version) => knownRules.has(version)));
  const ofNew = pinned ?? Math.max(...known);
  if (known.has(ofNew)) return { known, ofNew };
  const expected = `expected one of the rules that this version has: ${namesOfRules(known)}`;
  throw new Failure('invalid_configuration', `RAVENHELM_RULES: found ${ofNew}, ${expected}`);
}

/** Throws Failure `rules_unknown` for a mission that only another version of Ravenhelm can go on with. */
export function checkRules(
  { mission_id, rules }: { mission_id: string; rules: number },
  { known }: Rules,
): void {
  if (known.has(rules)) return;
  const found = `mission ${mission_id} is decided by rules ${rules}, and this version has ${namesOfRules(known)}`;
  throw new Failure('rules_unknown', found);
}
