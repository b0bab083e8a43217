/** Words of a text as the decomposer compares them: stems of what carries meaning. */

const stopWords = new Set(
  (
    'a about after again all also an and any are as at be because been before being between both but by can could ' +
    'do does done down each every few find for from get gets give given has have how i if in into is it its just ' +
    'let like many may me more most must my need needs no nor not of off on once one only or other our out over own ' +
    'per please same shall she should so some such than that the their them then there these they this those ' +
    'through to too under until up upon us use used using very via want wants was we well were what when where ' +
    'which while who whose why will with within without would you your agent'
  ).split(' '),
);

/** Scripts that put no spaces between words. Two letters beside each other stand for a word there. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** A word without its English ending: `certificates`, `certificate` → `certificat`. Rough, and the same everywhere. */
export function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word;
  const single = word.replace(/ies$/, 'y').replace(/(?<=[^s])s$/, '');
  const root = single.replace(/(?:ings?|ed|ers?|ors?|e)$/, '');
  return root.length >= 3 ? root : single;
}

/** The stems of the words that carry meaning, each once, in the order of the text. */
export function contentWords(text: string): Set<string> {
  return new Set(stems(text).keys());
}

/** The same, each with the word that it comes from. */
export function stems(text: string): Map<string, string> {
  const words = new Map<string, string>();
  const add = (word: string, from: string) => {
    if (!words.has(word)) words.set(word, from);
  };
  for (const [token] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    if (unspaced.test(token)) {
      const letters = Array.from(token);
      if (letters.length === 1) add(token, token);
      for (let at = 0; at + 1 < letters.length; at += 1) {
        const pair = `${letters[at]}${letters[at + 1]}`;
        add(pair, pair);
      }
    } else if (!stopWords.has(token)) {
      add(stem(token), token);
    }
  }
  return words;
}

/** Two subtasks that share this much of their words are one. */
export const mostOverlap = 0.6;

/** Jaccard: of the words of either, the part that both have; 1 where neither has any. */
export function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const word of a) if (b.has(word)) shared += 1;
  const all = a.size + b.size - shared;
  return all === 0 ? 1 : shared / all;
}

export const overlaps = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  overlap(a, b) >= mostOverlap;
