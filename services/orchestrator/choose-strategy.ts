import { type Strategy, strategies } from './strategies.ts';
import { stems } from './words.ts';

/** A light word alone says little. */
const enough = 2;

/**
 * The strategy whose words weigh most in the brief; its first word, mostly the verb, counts three times. Among equals
 * the first of the table: research where nothing speaks for any but perhaps one light word.
 */
export function chooseStrategy(brief: string): {
  readonly strategy: Strategy;
  readonly because: readonly string[];
} {
  const words = [...stems(brief)];
  let best = { strategy: strategies[0], because: [] as string[], score: 0 };
  for (const strategy of strategies) {
    let score = 0;
    const because: string[] = [];
    words.forEach(([word, said], position) => {
      const weight = strategy.words.get(word) ?? 0;
      if (weight > 0) because.push(said);
      score += position === 0 ? weight * 3 : weight;
    });
    if (score > best.score && score >= enough) best = { strategy, because, score };
  }
  return best;
}
