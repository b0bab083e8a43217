import { Failure } from '#chassis/failures.ts';

/**
 * The versions of the rules by which `decide` decides. A mission keeps the version that it was accepted with, named in
 * its `mission_accepted`, so that its ledger can be decided again. A change of what `decide` writes is a new version, and
 * `state.rules` chooses between the old behaviour and the new one; texts for people are no part of it.
 */
const versions: Readonly<Record<number, string>> = {
  0: 'All until versions had numbers. Plans without a model are made in `decide`, and taken as written.',
};

export const knownRules: ReadonlySet<number> = new Set(Object.keys(versions).map(Number));
export const newestRules = Math.max(...knownRules);

/** `0 and 1` */
export const namesOfRules = (known: ReadonlySet<number> = knownRules): string =>
  [...known].sort((a, b) => a - b).join(' and ');

/** The version that new missions get: the newest, unless a setting pins them. Throws `invalid_configuration`. */
export function rulesForNew(pinned: number | undefined): number {
  if (pinned === undefined) return newestRules;
  if (knownRules.has(pinned)) return pinned;
  const message = `RAVENHELM_RULES: found ${pinned}, expected one of the rules that this version knows: ${namesOfRules()}`;
  throw new Failure('invalid_configuration', message);
}
