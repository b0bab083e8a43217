/**
 * The heuristic decomposer: a plan of a brief, for when there is no model to make one. Pure and total: the same brief,
 * roles and number give the same plan. The worker answers with it (`#worker/heuristic-plan.ts`), and `decide` takes what it
 * answers, so that it may learn; in missions of rules 0 `decide` itself asks it (`rules-0.ts`).
 */
import { type BriefPart, beginsWithVerb, partsOf } from './brief-parts.ts';
import { type RoleName, roleChooser } from './choose-role.ts';
import { chooseStrategy } from './choose-strategy.ts';
import { describeDrafts } from './describe-draft.ts';
import { type Draft, isNew, levelsOf, mergeTo, wordsOf } from './draft-shape.ts';
import { type DraftTask, roomOfPlan, takeId } from './draft-task.ts';
import type { Aspect, Phase, Strategy, StrategyName } from './strategies.ts';
import { reviews } from './verification-tasks.ts';
import { contentWords, overlaps } from './words.ts';

export interface DecomposeOptions {
  /** Those that exist; `orchestrator`, `drummer` and `camina` are never chosen. */
  readonly roles: readonly RoleName[];
  /** How many tasks there shall be, from 1 to 15. Default: as many as the brief has parts for, from 3 to 15. */
  readonly agents?: number;
  /** Bytes of text of the plan. Default: as many as a plan has room for. */
  readonly room?: number;
}

export interface Decomposition {
  readonly strategy: StrategyName;
  readonly tasks: readonly DraftTask[];
  /** For people: what was chosen and why, and what this plan cannot do. */
  readonly notes: readonly string[];
}

const fewestTasks = 3;
const mostTasks = 15;

/** Throws Failure `role_unknown` where no role is left to do the work; any brief has a plan. */
export function decompose(
  brief: string,
  { roles, agents, room = roomOfPlan }: DecomposeOptions,
): Decomposition {
  const chooseRole = roleChooser(roles);
  const { strategy, because } = chooseStrategy(brief);
  const parts = partsOf(brief);
  const notes = [
    because.length > 0
      ? `strategy ${strategy.name}, for the words ${because.slice(0, 8).join(', ')}`
      : `strategy ${strategy.name}: nothing in the brief speaks for another`,
  ];
  if (contentWords(brief).size === 0) notes.push('the brief has no words that say what is wanted');
  if (parts.length > 0) notes.push(`${parts.length} parts named by the brief`);
  const count = countFor(agents, notes);
  const shaped = fit(draftsOf(strategy, parts), count, strategy, notes);
  const drafts = inOrder(apart(shaped));
  const taken = new Set<string>();
  const strangers: string[] = [];
  const named = drafts.map((draft) => {
    const goal = draft.goals.map(({ text }) => text).join('\n');
    const about = draft.goals.map((each) => each.about).join('\n');
    const { role, fits } = chooseRole(goal, about, draft.general);
    const id = takeId(idOf(draft), taken);
    if (!fits) strangers.push(`${id} (${role})`);
    return { draft, id, role };
  });
  if (strangers.length > 0) {
    notes.push(`no general role exists, and no role has enough words of ${strangers.join(', ')}`);
  }
  const { tasks, shown } = describeDrafts(named, brief, room);
  if (shown < brief.length) {
    notes.push(
      `the brief has ${brief.length} characters; each task is shown about ${shown} of them, and its part`,
    );
  }
  notes.push(
    'made without a model: its tasks have no scripts, so that their roles need models to carry them out',
  );
  return { strategy: strategy.name, tasks, notes };
}

function countFor(agents: number | undefined, notes: string[]): { least: number; most: number } {
  if (agents === undefined) return { least: fewestTasks, most: mostTasks };
  const whole = Number.isNaN(agents) ? fewestTasks : Math.round(Math.min(mostTasks, Math.max(1, agents)));
  if (whole !== agents)
    notes.push(`found ${agents} agents, expected from 1 to ${mostTasks}: made for ${whole}`);
  return { least: whole, most: whole };
}

/** The phases of a strategy over the parts of a brief. */
function draftsOf(strategy: Strategy, parts: readonly BriefPart[]): Draft[] {
  const drafts: Draft[] = [];
  /** Keys of the drafts of each phase. */
  const of = new Map<string, number[]>();
  for (const phase of strategy.phases) {
    const needs = phase.needs.flatMap((key) => of.get(key) ?? []);
    const add = (about: string, goal: string, more: readonly number[] = needs) => {
      drafts.push(draftOf(drafts.length, phase, { text: goal, about }, more));
      return drafts.length - 1;
    };
    if (phase.each === undefined) of.set(phase.key, [add('', phase.goal)]);
    else if (parts.length === 0)
      of.set(
        phase.key,
        phase.each.aspects.map(({ key, goal }) => add(key, goal)),
      );
    else of.set(phase.key, stagesOf(parts, phase.each.verb, needs, add));
  }
  return drafts;
}

/** Each part needs all of the stage before. Later phases need all parts: results do not pass through. */
function stagesOf(
  parts: readonly BriefPart[],
  verb: string,
  needs: readonly number[],
  add: (about: string, goal: string, needs: readonly number[]) => number,
): number[] {
  let before = needs;
  let stage: number[] = [];
  const all: number[] = [];
  parts.forEach((part, at) => {
    if (at > 0 && part.stage > (parts[at - 1]?.stage ?? 0)) {
      before = [...needs, ...stage];
      stage = [];
    }
    stage.push(add(part.text, goalOfPart(verb, part.text), before));
    all.push(stage.at(-1) ?? 0);
  });
  return all;
}

/** `Set up: TLS`; what says itself what to do, stays as it is. */
function goalOfPart(verb: string, part: string): string {
  return beginsWithVerb(part) ? part.charAt(0).toUpperCase() + part.slice(1) : `${verb}: ${part}`;
}

function draftOf(key: number, phase: Phase, goal: Draft['goals'][number], needs: readonly number[]): Draft {
  const undo =
    phase.undo === undefined ? [] : [goal.about === '' ? phase.undo : `${phase.undo}: ${goal.about}`];
  return { key, phases: [phase.key], goals: [goal], done: [phase.done], undo, general: phase.general, needs };
}

/** As many drafts as were asked for: some made one, or the broadest step split further and reviews added. */
function fit(
  drafts: readonly Draft[],
  { least, most }: { readonly least: number; readonly most: number },
  strategy: Strategy,
  notes: string[],
): Draft[] {
  if (drafts.length > most) {
    notes.push(`${drafts.length} subtasks made into ${most}`);
    return mergeTo(drafts, most);
  }
  const padded = [...drafts];
  const broad = strategy.phases.find(({ each }) => each !== undefined);
  for (const aspect of broad?.each?.aspects ?? []) {
    if (padded.length < least && broad) addBeside(padded, broad, aspect);
  }
  for (const review of reviews) if (padded.length < least) addReview(padded, strategy, review);
  if (padded.length > drafts.length) notes.push(`${padded.length - drafts.length} subtasks added`);
  return padded;
}

/** One more of the step that is done several times: with the needs of its first, and needed by whatever needs that. */
function addBeside(drafts: Draft[], phase: Phase, { key, goal }: Aspect): void {
  const first = drafts.find(({ phases }) => phases.includes(phase.key));
  const isFirst = first?.needs ?? [];
  if (!first || !isNew({ text: goal, about: key }, drafts)) return;
  const added = draftOf(nextKey(drafts), phase, { text: goal, about: key }, isFirst);
  drafts.forEach((draft, at) => {
    const sameStep = draft.phases.includes(phase.key);
    if (!sameStep && draft.needs.includes(first.key))
      drafts[at] = { ...draft, needs: [...draft.needs, added.key] };
  });
  drafts.push(added);
}

/** A review of all that the last step needs, which then needs the review, too. */
function addReview(drafts: Draft[], { phases: steps }: Strategy, review: Aspect): void {
  const at = drafts.findIndex(({ phases }) => phases.at(-1) === steps.at(-1)?.key);
  const last = drafts[at];
  if (!last || !isNew({ text: review.goal, about: review.key }, drafts)) return;
  const needs = last.needs.filter((key) => !drafts.some((draft) => draft.key === key && isReview(draft)));
  const added = reviewOf(nextKey(drafts), review, needs);
  drafts[at] = { ...last, needs: [...last.needs, added.key] };
  drafts.push(added);
}

const isReview = ({ phases }: Draft): boolean => phases[0] === 'review-of';

function reviewOf(key: number, review: Aspect, needs: readonly number[]): Draft {
  const done = 'every finding says where it is, why it matters and what would mend it, or that there is none';
  const goals = [{ text: review.goal, about: review.key }];
  return { key, phases: ['review-of'], goals, done: [done], undo: [], general: 'analyst', needs };
}

const nextKey = (drafts: readonly Draft[]): number => 1 + Math.max(-1, ...drafts.map(({ key }) => key));

/**
 * No two drafts that say the same: the later of two becomes a review of a kind that is not there yet (see `reviews`:
 * there always is one), and what only it said goes to the earlier.
 */
function apart(given: readonly Draft[]): Draft[] {
  const drafts = [...given];
  for (let turn = 0; turn < 4 * mostTasks; turn += 1) {
    const words = drafts.map(wordsOf);
    const later = words.findIndex((own, at) => words.slice(0, at).some((other) => overlaps(other, own)));
    if (later < 0) break;
    const earlier = words.findIndex((other) => overlaps(other, words[later] ?? new Set()));
    const [kept, changed] = [drafts[earlier], drafts[later]];
    const others = drafts.filter((_, at) => at !== later);
    const review = reviews.find(({ key, goal }) => isNew({ text: goal, about: key }, others));
    if (!kept || !changed || !review) break;
    if ([...(words[later] ?? [])].some((word) => !words[earlier]?.has(word)))
      drafts[earlier] = { ...kept, goals: [...kept.goals, ...changed.goals] };
    const reviewed = changed.needs.includes(kept.key) || levelAbove(drafts, changed, kept);
    const needs = reviewed ? changed.needs : [...changed.needs, kept.key];
    drafts[later] = reviewOf(changed.key, review, needs);
  }
  return drafts;
}

/** Whether `kept` waits for `changed`, however far. */
function levelAbove(drafts: readonly Draft[], changed: Draft, kept: Draft): boolean {
  const seen = new Set(kept.needs);
  for (const key of seen)
    for (const need of drafts.find((draft) => draft.key === key)?.needs ?? []) seen.add(need);
  return seen.has(changed.key);
}

/** Needs first. */
function inOrder(drafts: readonly Draft[]): Draft[] {
  const levels = levelsOf(drafts);
  return drafts.toSorted((a, b) => (levels.get(a.key) ?? 0) - (levels.get(b.key) ?? 0));
}

/** `set-up-tls-monitoring`; `prepare-to-verify` of what does several phases. */
function idOf({ phases, goals }: Draft): string {
  const [first = 'task'] = phases;
  const last = phases.at(-1) ?? first;
  if (last !== first) return `${first}-to-${last}`;
  const about = goals.map((goal) => goal.about).join(' ');
  const plain = about.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const said = first.split('-');
  const words = (plain.match(/[a-z0-9]+/g) ?? []).filter(
    (word, at, all) => contentWords(word).size > 0 && !said.includes(word) && all.indexOf(word) === at,
  );
  return [first, ...words.slice(0, 3)].join('-').slice(0, 60).replace(/-+$/, '');
}
