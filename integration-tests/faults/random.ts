/** Everything that the campaign leaves to chance, from one seed: the same seed asks for the same things in the same order. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number, both ends included. */
  int(least: number, most: number): number;
  /** Throws on an empty list. */
  pick<T>(from: readonly T[]): T;
  chance(of: number): boolean;
  /** A source of its own, which depends on the seed and the name alone. */
  fork(name: string): Random;
}

export function seeded(seed: number, name = ''): Random {
  let state = mixed(seed, name);
  const next = (): number => {
    // Mulberry32: small, and good enough to choose victims.
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    int,
    pick(from) {
      const found = from[int(0, from.length - 1)];
      if (found === undefined) throw new Error('nothing to pick from');
      return found;
    },
    chance: (of) => next() < of,
    fork: (other) => seeded(seed, `${name}/${other}`),
  };
}

/** FNV-1a over the name, begun with the seed. */
function mixed(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash;
}
