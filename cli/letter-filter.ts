import { Failure } from '#chassis/failures.ts';
import { matches } from '#chassis/retry-policy.ts';
import { letterStates } from '#retrier/letter-fold.ts';
import type { TopicNames } from '#topics/table.ts';
import { type LetterPlace, type LetterView, readLetterId, type Wanted } from './letters.ts';
import { sinceTime } from './since.ts';

/** What is said on the command line of which letters are meant. */
export interface LetterFilter {
  readonly code?: string;
  readonly topic?: string;
  readonly role?: string;
  readonly mission?: string;
  readonly since?: string;
  readonly until?: string;
  readonly state?: string;
}

const fields = ['code', 'topic', 'role', 'mission', 'since', 'until', 'state'] as const;
export const isFiltered = (filter: LetterFilter): boolean =>
  fields.some((field) => filter[field] !== undefined);

/**
 * A test for letters. `topic` is a name, or its end: missions, reports; `*` stands for any text in it, in the mission
 * and in the role. Throws `invalid_arguments`.
 */
export function letterFilter(
  filter: LetterFilter,
  topics: TopicNames,
  now: number,
): (letter: LetterView) => boolean {
  const { code, topic, role, mission, state } = filter;
  const since = timeOf('--since', filter.since, now);
  const until = timeOf('--until', filter.until, now);
  if (state !== undefined && !letterStates.some((known) => known === state)) {
    const expected = `expected one of ${letterStates.join(', ')}`;
    throw new Failure('invalid_arguments', `--state: found ${JSON.stringify(state)}, ${expected}`);
  }
  const names: Readonly<Record<string, string>> = {
    missions: topics.missions,
    reports: topics.reports,
    tasks: topics.tasks('*'),
    coordination: topics.coordination,
  };
  const wanted = topic === undefined ? undefined : (names[topic] ?? topic);
  return (letter) =>
    (code === undefined || letter.code === code) &&
    (wanted === undefined || matches(wanted, letter.topic)) &&
    (role === undefined || matches(role, letter.role)) &&
    (mission === undefined || matches(mission, letter.mission)) &&
    (state === undefined || letter.state === state) &&
    (since === null || (letter.failed_at ?? 0) >= since) &&
    (until === null || (letter.failed_at ?? 0) < until);
}

/** Which letters have to be read for it. */
export function wantedBy({ since }: LetterFilter, now: number): Wanted {
  const time = timeOf('--since', since, now);
  return time === null ? 'all' : { since: time };
}

function timeOf(flag: string, text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  try {
    return sinceTime(text, now).getTime();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, error.message.replace('--since', flag));
  }
}

/** The letters of these ids. Throws `invalid_arguments` for what is no id, `not_found` for one that is not there. */
export function lettersOf(ids: readonly string[], letters: readonly LetterView[]): LetterView[] {
  return [...new Set(ids)].map((id) => {
    letterPlace(id);
    const found = letters.find((letter) => letter.id === id);
    if (found === undefined) throw new Failure('not_found', `there is no dead letter ${id}`);
    return found;
  });
}

/** Throws `invalid_arguments` for what is no id. */
export function letterPlace(id: string): LetterPlace {
  const place = readLetterId(id);
  if (place !== null) return place;
  const expected = 'expected an id of `ravenhelm dlq list`, like 0-17';
  throw new Failure('invalid_arguments', `the letter: found ${JSON.stringify(id)}, ${expected}`);
}
