import { contentWords, overlaps } from './words.ts';

/** A part of the work that the brief names itself. Parts of one stage are side by side; a stage follows the one before. */
export interface BriefPart {
  readonly text: string;
  /** From 0. */
  readonly stage: number;
}

const mostParts = 60;
const mostCharacters = 600;

const verbs =
  'add|analy[sz]e|announce|assess|back up|benchmark|book|build|check|clean|collect|convert|compare|configure|create|decide|define|deliver|deploy|' +
  'describe|design|develop|document|draft|draw|estimate|evaluate|explain|extract|find|fix|forecast|gather|generate|identify|implement|' +
  'improve|install|integrate|interview|investigate|keep|list|make|measure|merge|migrate|monitor|optimi[sz]e|organi[sz]e|plan|prepare|' +
  'predict|present|propose|prove|provision|publish|rank|recommend|refactor|release|remove|report|research|review|rewrite|' +
  'roll|run|schedule|send|secure|set|ship|sketch|split|start|study|summari[sz]e|survey|test|train|translate|update|upgrade|validate|' +
  'verify|write';
/** `build X and test Y` is two; `compare X and Y` is one. */
const beforeVerb = new RegExp(`(?:, and |, | and | & )(?=(?:${verbs})\\b)`, 'iu');
const verbFirst = new RegExp(`^(?:${verbs})\\b`, 'iu');
const thenInside =
  /,? (?:and then|and after that|and finally|followed by) |[,;] (?:then|finally|after that|afterwards),? /iu;
const thenFirst = /^(?:(?:and )?then|next|after that|afterwards|finally|lastly),? /iu;
/** `It should be fast` says more of what was named before; `fix it` can only follow it. */
const saysMore = /^(?:it|they|this|these|that|those|he|she) /iu;
const pointsBack = /\b(?:it|them|each|both)(?:$| )/iu;
/** What comes behind these words is a list of what the thing before them has. */
const including = /(?:,? (?:including|covering|such as|namely|along with|together with) |: )/iu;
/** `with` that belongs to the word before it begins no list. */
const withThings =
  /(?<!\b(?:wrong|deal|deals|work|works|help|begin|start|comply|agree|problems?|issues?|trouble|integrate|compatible|do|compare|happy)),? with /iu;
const listItem =
  /^\s{0,40}(?:(?<bullet>[-*+•–·])|(?<number>\d{1,3}[.)]|\(\d{1,3}\)|[a-z][)]))\s{1,8}(?=\S)/iu;

/**
 * The parts of a brief: its list items (numbered ones follow one another, others are side by side), else its sentences,
 * its clauses (`… and then …`, `build … and test …`) and what it says the thing shall have (`with TLS and monitoring`).
 * None where it is all one. No two parts of the result say the same; at most 60, neighbours are joined beyond that.
 */
export function partsOf(brief: string): BriefPart[] {
  const lines = brief.split(/\r\n?|\n|\u2028|\u2029/u);
  const listed = itemsOf(lines);
  const found = listed.length >= 2 ? listed : clausesOf(lines);
  const parts = distinct(joined(found));
  return parts.length >= 2 ? parts : [];
}

/** Whether a part says itself what to do. */
export const beginsWithVerb = (part: string): boolean => verbFirst.test(part);

function itemsOf(lines: readonly string[]): BriefPart[] {
  const items: { text: string; numbered: boolean }[] = [];
  let open = false;
  for (const line of lines) {
    const mark = listItem.exec(line);
    if (mark) {
      items.push({ text: line.slice(mark[0].length), numbered: mark.groups?.['number'] !== undefined });
      open = true;
    } else if (open && /^\s+\S/u.test(line)) {
      const last = items.at(-1);
      if (last) last.text += ` ${line}`;
    } else open = false;
  }
  const said = items.map(({ text, numbered }) => ({ text: tidy(text), numbered }));
  let stage = -1;
  let before: boolean | null = null;
  return said
    .filter(({ text }) => hasContent(text))
    .map(({ text, numbered }) => {
      if (numbered || before !== false) stage += 1;
      before = numbered;
      return { text, stage };
    });
}

function clausesOf(lines: readonly string[]): BriefPart[] {
  const parts: BriefPart[] = [];
  let stage = 0;
  for (const sentence of sentencesOf(lines)) {
    // `if …, then …` is a condition, not an order.
    const conditional = /\b(?:if|when|whenever)\b/iu.test(sentence);
    const steps = conditional ? [sentence] : sentence.split(thenInside);
    for (const [position, step] of steps.entries()) {
      const follows = position > 0 || (!conditional && thenFirst.test(step));
      if (follows && parts.length > 0) stage += 1;
      for (const text of step.replace(thenFirst, '').split(beforeVerb).flatMap(withList)) {
        const plain = tidy(text);
        const last = parts.at(-1);
        if (!hasContent(plain)) continue;
        if (last && saysMore.test(plain))
          parts[parts.length - 1] = { ...last, text: clip(`${last.text}; ${plain}`) };
        else {
          if (last && last.stage === stage && beginsWithVerb(plain) && pointsBack.test(plain)) stage += 1;
          parts.push({ text: plain, stage });
        }
      }
    }
  }
  return parts;
}

function sentencesOf(lines: readonly string[]): string[] {
  const paragraphs: string[] = [];
  let open = '';
  for (const line of [...lines, '']) {
    const text = line
      .replace(/\s+/gu, ' ')
      .trim()
      .replace(/^#{1,6} /u, '');
    if (text === '') {
      if (open !== '') paragraphs.push(open);
      open = '';
    } else open = open === '' ? text : `${open} ${text}`;
  }
  return paragraphs.flatMap((text) => text.split(/(?<=[.!?;]) (?=\S)|(?<=[。！？；])/u));
}

/** `Deploy the platform with TLS and monitoring` → the platform, TLS, monitoring. */
function withList(clause: string): string[] {
  const at = including.exec(clause) ?? withThings.exec(clause);
  if (!at) return [clause];
  const head = clause.slice(0, at.index);
  const tail = clause.slice(at.index + at[0].length);
  const items = tail.split(/, and |, | and | & | plus |、|，/iu);
  // A list of things is short in each of its items; anything else is the clause going on.
  if (items.length > 20 || items.some((item) => item.split(' ').length > 8)) return [clause];
  return [head, ...items];
}

function tidy(text: string): string {
  const line = text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
  const bare = line
    .replace(/^(?:and|also|please)(?: |$)/iu, '')
    .replace(/^[,;:]+|[.,;:。；]+$/gu, '')
    .trim();
  return clip(bare);
}

function clip(text: string): string {
  if (text.length <= mostCharacters) return text;
  const whole = Array.from(text.slice(0, mostCharacters));
  if (/^[\ud800-\udbff]$/u.test(whole.at(-1) ?? '')) whole.pop();
  return `${whole.join('').replace(/ [^ ]{1,40}$/u, '')} …`;
}

const hasContent = (text: string): boolean => contentWords(text).size > 0;

/** At most so many: neighbours become one where there are more. */
function joined(parts: readonly BriefPart[]): BriefPart[] {
  if (parts.length <= mostParts) return [...parts];
  const groups: BriefPart[] = [];
  for (let group = 0; group < mostParts; group += 1) {
    const from = Math.floor((group * parts.length) / mostParts);
    const to = Math.floor(((group + 1) * parts.length) / mostParts);
    const members = parts.slice(from, to);
    const text = members.map((part) => part.text).join('; ');
    groups.push({ text: clip(text), stage: members[0]?.stage ?? 0 });
  }
  return groups;
}

/**
 * What says the same is said once. Something that comes again after something else (`test, then fix, then test again`)
 * is not the same: it says after what.
 */
function distinct(parts: readonly BriefPart[]): BriefPart[] {
  const kept: { text: string; stage: number; words: Set<string> }[] = [];
  const alike = (words: Set<string>) => kept.find((other) => overlaps(other.words, words));
  for (const { text, stage } of parts) {
    let part = { text, stage, words: contentWords(text) };
    let same = alike(part.words);
    if (same && same.stage < stage) {
      const before = kept.findLast((other) => other.stage < stage)?.text ?? '';
      const longer = clip(`${text} (after: ${before})`);
      part = { text: longer, stage, words: contentWords(longer) };
      same = alike(part.words);
    }
    if (!same) kept.push(part);
    else if ([...part.words].some((word) => !same.words.has(word))) {
      same.text = clip(`${same.text}; ${text}`);
      same.words = contentWords(same.text);
    }
  }
  return kept.map(({ text, stage }) => ({ text, stage }));
}
