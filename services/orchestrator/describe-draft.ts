import type { Draft, Goal } from './draft-shape.ts';
import { bytesOf, type DraftTask, excerpt } from './draft-task.ts';

/** Three synthesizers and an executive come above fifteen tasks, and are told the brief, too. */
const mostTiers = 4;

export interface NamedDraft {
  readonly draft: Draft;
  readonly id: string;
  readonly role: string;
}

const missionHeading =
  'The whole mission, so that you know what your part is for; other agents do its other parts:';

/**
 * The tasks with all that their agents are told: what to do, the mission, what they are given and when they are done.
 * The brief is whole in each where that fits into `most` bytes, else its beginning and end; `shown`: how many characters of it.
 */
export function describeDrafts(
  named: readonly NamedDraft[],
  brief: string,
  most: number,
): { readonly tasks: DraftTask[]; readonly shown: number } {
  const byKey = new Map(named.map((each) => [each.draft.key, each]));
  const bare = named.map((each) => taskOf(each, byKey, ''));
  const used = bare.reduce((sum, task) => sum + bytesOf(task), 0);
  const room = Math.floor((most - used) / (named.length + mostTiers));
  const context = excerpt(brief.trim(), Math.max(200, room));
  const shown = context === brief.trim() ? brief.length : context.length;
  return { tasks: named.map((each) => taskOf(each, byKey, context)), shown };
}

/** What a task is to do, of its description: all before its first empty line. */
export function goalOf(description: string): string {
  const end = description.indexOf('\n\n');
  return end < 0 ? description : description.slice(0, end);
}

function taskOf(
  { draft, id, role }: NamedDraft,
  byKey: ReadonlyMap<number, NamedDraft>,
  brief: string,
): DraftTask {
  const needs = draft.needs.flatMap((key) => byKey.get(key) ?? []);
  const paragraphs = [
    goals(draft.goals),
    `${missionHeading}\n${brief === '' ? '(nothing was said)' : brief}`,
    given(needs),
    done(draft.done),
  ];
  return {
    id,
    role,
    description: paragraphs.join('\n\n'),
    needs: needs.map((need) => need.id),
    ...(draft.undo.length > 0
      ? { compensation: { description: `${draft.undo.join('; then: ')}.`, script: null } }
      : {}),
  };
}

function goals(all: readonly Goal[]): string {
  const [only] = all;
  if (all.length === 1 && only) return only.text;
  return ['Do all of this:', ...all.map(({ text }, at) => `${at + 1}. ${text}`)].join('\n');
}

function given(needs: readonly NamedDraft[]): string {
  if (needs.length === 0) return 'You get no results of other tasks: yours is among the first.';
  return `You get the results of ${needs.map(({ id }) => id).join(', ')}: read them, and the files they name, before you begin.`;
}

function done(conditions: readonly string[]): string {
  const [only = ''] = conditions;
  if (conditions.length === 1) return `You are done when ${only}.`;
  return ['You are done when', ...conditions.map((condition) => `- ${condition}`)].join('\n');
}
