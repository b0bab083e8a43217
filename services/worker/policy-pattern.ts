/**
 * The patterns of a policy rule, and what they make of an argument. The answer has three values, because a rule must
 * be safe both when it allows and when it forbids: `unknown` is never good enough to allow, and always to forbid.
 *
 * | pattern | argument | answer |
 * |---|---|---|
 * | any | missing, an object, or longer than 32 KiB | unknown |
 * | text | text, number, boolean or null (as JSON writes it) | yes or no, of the WHOLE value |
 * | text | a list | yes when its JSON matches, `*` never reaching over a `"`; unknown when one of its elements matches, or all of them joined by spaces; else no |
 * | list | a list | yes when every element matches its pattern; a last `**` takes any further elements |
 * | list | anything else | unknown |
 *
 * So `git log*` never allows `argv: ["git", "-c", "core.pager=sh -c evil", "log"]`, nor any other argv: a list is not
 * a line. Text is compared as it is, code point by code point: no normal form, no case folding, no look-alikes.
 *
 * A shell command (`command` of execute_terminal_command) that a wildcard or an expression matches is `yes` only when
 * it consists of plain words: `git log*` must not allow `git log; evil`. Name such a command literally, or use argv.
 */
import { compileGlob, compileRegex, type WholeMatch } from './linear-regex.ts';

export type Pattern = string | readonly string[];
export type Answer = 'yes' | 'no' | 'unknown';

/** The longest value that is looked at, in characters. */
const LONGEST = 32 * 1024;

/** What the shell gives no meaning to but that of a word, and of the spaces between them. */
const plainWords = /^[A-Za-z0-9 _./:,@%+=-]*$/;

interface Compiled {
  readonly whole: WholeMatch;
  /** Against the JSON of a list: a `*` of a glob stays within one element. */
  readonly listed: WholeMatch;
  readonly literal: boolean;
}

/** Both forms of a text pattern: `/…/` is a regular expression, anything else a glob. Throws a SyntaxError. */
export function compileText(pattern: string): Compiled {
  if (pattern.length > 1 && pattern.startsWith('/') && pattern.endsWith('/')) {
    const source = pattern.slice(1, -1);
    if (/(?:^|[^\\])(?:\\\\)*\//.test(source))
      throw new SyntaxError(`found a "/" inside the regular expression ${pattern}, expected "\\/"`);
    const whole = compileRegex(source);
    return { whole, listed: whole, literal: false };
  }
  return {
    whole: compileGlob(pattern),
    listed: compileGlob(pattern, (character) => character !== '"'),
    literal: !pattern.includes('*'),
  };
}

/** Makes a pattern ready. Throws a SyntaxError for one that is not understood. */
export function compilePattern(pattern: Pattern): (value: unknown, shell: boolean) => Answer {
  if (typeof pattern === 'string') {
    const compiled = compileText(pattern);
    return (value, shell) => matchText(compiled, value, shell);
  }
  const open = pattern.at(-1) === '**';
  const elements = (open ? pattern.slice(0, -1) : pattern).map((each) => compileText(each));
  return (value) => {
    if (!Array.isArray(value)) return 'unknown';
    if (open ? value.length < elements.length : value.length !== elements.length) return 'no';
    return elements.reduce<Answer>(
      (answer, element, index) => and(answer, matchText(element, value[index], false)),
      'yes',
    );
  };
}

/** A `no` is certain whatever the rest is. */
export const and = (a: Answer, b: Answer): Answer =>
  a === 'no' || b === 'no' ? 'no' : a === 'unknown' || b === 'unknown' ? 'unknown' : 'yes';

function matchText(compiled: Compiled, value: unknown, shell: boolean): Answer {
  const text = scalar(value);
  if (text !== null) {
    if (text.length > LONGEST) return 'unknown';
    if (!compiled.whole(text)) return 'no';
    return shell && !compiled.literal && !plainWords.test(text) ? 'unknown' : 'yes';
  }
  if (!Array.isArray(value)) return 'unknown';
  const json = JSON.stringify(value);
  if (json.length > LONGEST) return 'unknown';
  if (compiled.listed(json)) return 'yes';
  const elements = value.map(scalar);
  const joined = elements.map((each) => each ?? '').join(' ');
  // An element that is a list or an object is not looked into.
  const matches = elements.some((each) => each === null || compiled.whole(each)) || compiled.whole(joined);
  return matches ? 'unknown' : 'no';
}

function scalar(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value);
  return null;
}
