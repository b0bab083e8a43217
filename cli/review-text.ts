import { decisions } from '#orchestrator/reviews.ts';
import { dateTime, oneLine } from './format.ts';
import type { Colors } from './output.ts';

/** What is shown of a review. */
export interface ShownReview {
  readonly review_id: string;
  readonly kind: string;
  /** Empty: it is about the whole mission. */
  readonly task_id: string;
  readonly tool: string;
  /** JSON text. */
  readonly arguments: string;
  readonly reason: string;
  /** Epoch ms; 0: never. */
  readonly expires_at: number;
}

/** What a person is asked, in one sentence. */
export function question({ kind, task_id, tool }: Pick<ShownReview, 'kind' | 'task_id' | 'tool'>): string {
  const call = tool === '' ? 'this call' : oneLine(tool, 64);
  switch (kind) {
    case 'tool_call':
      return `may task ${task_id} call ${call}?`;
    case 'reconcile':
      return `task ${task_id} may have called ${call} already: shall it call it (again)?`;
    case 'plan':
      return 'shall this plan be carried out?';
    case 'budget':
      return 'the budget does not reach: may as much again be used up?';
    case 'pause':
      return 'a reaction has paused the mission: shall it go on?';
    case 'compensation':
      return `task ${task_id} could not undo what was done: shall it be tried again?`;
    case 'suspend':
      return 'tasks have failed, and the mission waits: shall they be tried again?';
    default:
      return oneLine(`${kind} of ${task_id || 'the mission'}`);
  }
}

/** What a decision means to a kind of review that says more than yes and no. */
const meanings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  compensation: {
    approved: 'try it again',
    happened: 'it was undone by hand: go on with the next',
    rejected: 'stop: the mission ends, and says what is not undone',
  },
  suspend: {
    approved: 'try what failed again, and go on',
    rejected: 'the mission fails',
  },
};

/** The commands that answer a review, each with what it does. */
export function answers({ kind, review_id }: Pick<ShownReview, 'kind' | 'review_id'>): [string, string][] {
  const approve = `npx ravenhelm approve ${review_id}`;
  const known: Readonly<Record<string, readonly [command: string, does: string]>> = {
    approved: [approve, 'yes'],
    happened: [
      `${approve} --happened --comment ${kind === 'compensation' ? 'HOW' : 'OUTPUT'}`,
      'it happened, and this is what it said',
    ],
    cheaper: [`${approve} --cheaper`, 'go on with the cheaper models'],
    rejected: [`npx ravenhelm reject ${review_id}`, 'no'],
  };
  const own = meanings[kind] ?? {};
  return (decisions[kind] ?? []).flatMap((decision) => {
    const found = known[decision];
    return found === undefined ? [] : [[found[0], own[decision] ?? found[1]]];
  });
}

/**
 * JSON text for eyes: every character is seen, as what is not seen (and could hide, turn or end what is around it)
 * becomes its JSON escape. It is the same value.
 */
export function exactJson(text: string): string {
  return text.replace(/\p{C}|[\u2028\u2029]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => escaped(character.charCodeAt(at))).join(''),
  );
}

const escaped = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;

/** The same, no longer than that, and saying how much is left out. */
export function boundedJson(text: string, most: number): string {
  const shown = exactJson(text);
  return shown.length <= most ? shown : `${shown.slice(0, most)}… (${shown.length - most} characters more)`;
}

const mostArguments = 300;

/** That a mission waits, for what, and what to type; beside a mission that runs. */
export function waitingLines(review: ShownReview, colors: Colors): string[] {
  const [first] = answers(review);
  const more =
    answers(review).length > 1 ? `   ${colors.dim(`(or: ravenhelm reject ${review.review_id})`)}` : '';
  const what = review.arguments === '' ? '' : ` ${boundedJson(review.arguments, mostArguments)}`;
  const until = review.expires_at > 0 ? `, until ${dateTime(review.expires_at)}` : '';
  return [
    `${colors.yellow('?')} ${colors.bold('A person has to decide')}${until}: ${question(review)}${what}`,
    ...(review.reason === '' ? [] : [`    ${colors.dim(oneLine(review.reason, 400))}`]),
    ...(first === undefined ? [] : [`    ${first[0]}${more}`]),
  ];
}
