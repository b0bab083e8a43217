import type { GeneralRole } from './strategies.ts';
import { contentWords, overlaps } from './words.ts';

/** A subtask before it has an id, a role and a description. */
export interface Draft {
  /** Unique in its list; stays when the list changes. */
  readonly key: number;
  /** Keys of the phases that it does, in the order of the strategy. */
  readonly phases: readonly string[];
  readonly goals: readonly Goal[];
  readonly done: readonly string[];
  readonly undo: readonly string[];
  readonly general: GeneralRole;
  /** Keys of other drafts. */
  readonly needs: readonly number[];
}

export interface Goal {
  readonly text: string;
  /** What tells it from others of its phase, for its id and its role: a part of the brief, an aspect. */
  readonly about: string;
}

export const wordsOf = ({ goals }: Pick<Draft, 'goals'>): Set<string> =>
  contentWords(goals.map(({ text }) => text).join('\n'));

/** The wave of each draft, from 0, by its key. */
export function levelsOf(drafts: readonly Draft[]): ReadonlyMap<number, number> {
  const byKey = new Map(drafts.map((draft) => [draft.key, draft]));
  const levels = new Map<number, number>();
  const levelOf = (key: number): number => {
    const known = levels.get(key);
    if (known !== undefined) return known;
    const needs = byKey.get(key)?.needs ?? [];
    const level = needs.reduce((highest, need) => Math.max(highest, levelOf(need) + 1), 0);
    levels.set(key, level);
    return level;
  };
  for (const { key } of drafts) levelOf(key);
  return levels;
}

/** All drafts, two of them made one, which takes the place of `a`. */
function merge(drafts: readonly Draft[], a: Draft, b: Draft): Draft[] {
  const union = <T>(one: readonly T[], other: readonly T[]) => [...new Set([...one, ...other])];
  const both: Draft = {
    key: a.key,
    phases: union(a.phases, b.phases),
    goals: [...a.goals, ...b.goals],
    done: union(a.done, b.done),
    undo: union(b.undo, a.undo),
    general: a.general,
    needs: union(a.needs, b.needs).filter((need) => need !== a.key && need !== b.key),
  };
  return drafts.flatMap((draft) => {
    if (draft.key === b.key) return [];
    if (draft.key === a.key) return [both];
    if (!draft.needs.includes(b.key)) return [draft];
    return [
      {
        ...draft,
        needs: union(
          draft.needs.filter((need) => need !== b.key),
          [a.key],
        ),
      },
    ];
  });
}

const lengthOf = ({ goals }: Draft): number => goals.reduce((sum, { text }) => sum + text.length, 0);

/**
 * At most so many drafts; what was to be done, stays to be done. Two drafts of one wave, or of two waves beside each
 * other, have no third between them, so making them one makes no cycle. Where a wave has more than half of all, its
 * shortest neighbours become one (of the same phase, if there are any); else the shortest two that are each alone in
 * their waves, so that what can run side by side stays so.
 */
export function mergeTo(drafts: readonly Draft[], most: number): Draft[] {
  let left = [...drafts];
  while (left.length > most) {
    const waves = wavesOf(left);
    const widest = waves.reduce((best, wave) => (wave.length > best.length ? wave : best), []);
    const alone = waves.flatMap((wave, at) => {
      const next = waves[at + 1];
      return wave.length === 1 && next?.length === 1 ? [[wave[0], next[0]] as const] : [];
    });
    const beside = widest.slice(1).map((draft, at) => [widest[at], draft] as const);
    const [a, b] = shortest(
      beside.length > 0 && (widest.length * 2 > left.length || alone.length === 0) ? beside : alone,
    );
    if (a === undefined || b === undefined) break;
    left = merge(left, a, b);
  }
  return left;
}

function wavesOf(drafts: readonly Draft[]): Draft[][] {
  const levels = levelsOf(drafts);
  const waves: Draft[][] = [];
  for (const draft of drafts) {
    const level = levels.get(draft.key) ?? 0;
    while (waves.length <= level) waves.push([]);
    waves[level]?.push(draft);
  }
  return waves;
}

type Pair = readonly [Draft | undefined, Draft | undefined];

function shortest(pairs: readonly Pair[]): Pair {
  let best: { pair: Pair; cost: number } | null = null;
  for (const pair of pairs) {
    const [a, b] = pair;
    if (a === undefined || b === undefined) continue;
    const other = a.phases.join() === b.phases.join() ? 0 : 1_000_000;
    const cost = lengthOf(a) + lengthOf(b) + other;
    if (best === null || cost < best.cost) best = { pair, cost };
  }
  return best?.pair ?? [undefined, undefined];
}

/** Whether a subtask would say something that none of the others says. */
export function isNew(goal: Goal, drafts: readonly Draft[]): boolean {
  const words = contentWords(goal.text);
  return drafts.every((draft) => !overlaps(wordsOf(draft), words));
}
