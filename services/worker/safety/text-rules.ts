/** Rules for what goes to a model, and for what it says. */
import type { Scrubber } from '#chassis/secrets.ts';
import { withoutQuotes } from './quote.ts';
import { excerpt, type Rule, type Verdict } from './verdict.ts';

export interface InputSubject {
  /** The system prompt. */
  readonly system: string;
  /** What people and this project say to the model: the task. Data from outside is in it as quotes only. */
  readonly said: string;
  /** Characters of the whole request. */
  readonly size: number;
  readonly mostSize: number;
}

export interface OutputSubject {
  readonly system: string;
  readonly text: string;
  readonly secrets: Pick<Scrubber, 'finds'>;
}

const inputTooLarge: Rule<InputSubject> = ({ size, mostSize }) =>
  size <= mostSize
    ? null
    : { rule: 'input_too_large', reason: `found ${size} characters, expected at most ${mostSize}` };

/** Half a quote in a task makes the model take data for the task, or the task for data. */
const forgedQuote: Rule<InputSubject> = ({ said }) => {
  const at = withoutQuotes(said).search(/⟦(?:data|end) /);
  return at < 0
    ? null
    : { rule: 'forged_quote', reason: 'the task has a mark of data that belongs to no quote' };
};

/** Text that is read otherwise than people see it: turned round, in tags, or behind many characters without width. */
const hiding =
  /[\u202d\u202e]|(?<![\u{1f3f4}\u{e0020}-\u{e007f}])[\u{e0000}-\u{e007f}]|[\u{e0100}-\u{e01ef}]{4}|[\u200b-\u200d\u2060-\u2064\ufeff]{8}|[\ufe00-\ufe0f]{4}/u;

function hiddenIn(text: string, what: string): Verdict | null {
  if (!/[^\x00-\x7f]/.test(text)) return null;
  const found = hiding.exec(text);
  if (found === null) return null;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase();
  return { rule: 'hidden_text', reason: `${what} hides text with U+${code} at character ${found.index + 1}` };
}

const hiddenTask: Rule<InputSubject> = ({ said }) => hiddenIn(said, 'the task');

export const inputRules: readonly Rule<InputSubject>[] = [inputTooLarge, forgedQuote, hiddenTask];

const turnMarks =
  /<[|｜](?:im_start|start_header_id)[|｜]>\s{0,4}(?:system|user|tool|ipython)\b|<[|｜](?:system|user|User|tool|ipython)[|｜]>|<start_of_turn>\s{0,4}user\b|\[INST\][^]{0,20}<<SYS>>|<<SYS>>/;

/** A model that goes on as somebody else: in the marks of templates, or as a whole dialogue of two. */
const fakeTurn: Rule<OutputSubject> = ({ text }) => {
  const found = turnMarks.exec(text);
  if (found)
    return { rule: 'fake_turn', reason: `the answer opens another's turn with ${excerpt(found[0], 40)}` };
  const human = text.indexOf('\n\nHuman: ');
  if (human < 0 || !text.includes('\n\nAssistant: ', human)) return null;
  return { rule: 'fake_turn', reason: 'the answer goes on as Human and Assistant' };
};

const LEAK = 200;
const PIECE = LEAK / 2;

/** A sentence may be cited; so much in a row is the prompt itself. */
const leakedPrompt: Rule<OutputSubject> = ({ system, text }) => {
  if (text.length < LEAK || system.length < LEAK) return null;
  const prompt = system.replace(/\s+/g, ' ');
  const said = text.replace(/\s+/g, ' ');
  // Any run of 200 characters holds a whole piece of 100, wherever it begins.
  for (let start = 0; start + PIECE <= prompt.length; start += PIECE) {
    const at = said.indexOf(prompt.slice(start, start + PIECE));
    if (at < 0) continue;
    let before = 0;
    while (
      before < LEAK &&
      start > before &&
      at > before &&
      prompt[start - before - 1] === said[at - before - 1]
    )
      before++;
    let after = PIECE;
    while (after < LEAK && start + after < prompt.length && prompt[start + after] === said[at + after])
      after++;
    if (before + after >= LEAK)
      return {
        rule: 'leaked_prompt',
        reason: `the answer repeats the system prompt over ${LEAK} characters`,
      };
  }
  return null;
};

const knownSecret: Rule<OutputSubject> = ({ text, secrets }) => {
  const names = secrets.finds(text);
  return names.length === 0
    ? null
    : { rule: 'known_secret', reason: `the answer holds the value of ${names.join(', ')}` };
};

const hiddenAnswer: Rule<OutputSubject> = ({ text }) => hiddenIn(text, 'the answer');

export const outputRules: readonly Rule<OutputSubject>[] = [
  knownSecret,
  fakeTurn,
  leakedPrompt,
  hiddenAnswer,
];
