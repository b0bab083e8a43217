/**
 * What in data from outside looks like an attempt on the agent. A web page may say anything, and one about such attempts
 * says all of it: none of this fails a task. It is for the eyes of people, beside the result.
 */
import { hiddenCharacters } from './neutralise.ts';

export interface Suspicion {
  readonly rule: string;
  readonly reason: string;
}

type Suspect = (text: string) => Suspicion | null;

const phrases: readonly RegExp[] = [
  /\b(?:ignore|disregard|forget|override)\s{1,4}(?:\w{1,12}\s{1,4}){0,3}(?:previous|prior|above|earlier|preceding|system)\s{1,4}(?:\w{1,12}\s{1,4}){0,2}(?:instruction|prompt|rule|message|direction|context)s?\b/i,
  /\byou are (?:now|no longer)\s{1,4}(?:an?|the|bound|in|under)\b/i,
  /\b(?:new|updated|real) (?:system )?(?:instructions|system prompt)\s{0,2}:/i,
  /\b(?:reveal|print|repeat|show|output|send)\s{1,4}(?:me\s{1,4})?(?:your|the)\s{1,4}(?:\w{1,12}\s{1,4}){0,2}(?:system prompt|initial instructions|hidden instructions)\b/i,
  /\bdo not (?:tell|inform|alert|mention (?:this|it) to) the (?:user|operator|person|human)\b/i,
];

function givesInstructions(text: string): Suspicion | null {
  for (const phrase of phrases) {
    const found = phrase.exec(text);
    if (found)
      return { rule: 'gives_instructions', reason: `says “${found[0].replace(/\s+/g, ' ').slice(0, 80)}”` };
  }
  return null;
}

function imitatesTemplate(text: string): Suspicion | null {
  const found =
    /<\|(?:im_start|system|user|assistant|start_header_id)\|>|\[INST\]|<<SYS>>|<start_of_turn>/.exec(text);
  return found ? { rule: 'imitates_template', reason: `has ${found[0]}, a mark of chat templates` } : null;
}

function imitatesQuote(text: string): Suspicion | null {
  return /⟦(?:data|end)\b/.test(text) ? { rule: 'imitates_quote', reason: 'has our marks of data' } : null;
}

function hidesText(text: string): Suspicion | null {
  const found = hiddenCharacters(text);
  return found.length > 0 ? { rule: 'hides_text', reason: `has ${found.join(', ')}` } : null;
}

const suspects: readonly Suspect[] = [givesInstructions, imitatesTemplate, imitatesQuote, hidesText];

/** Empty for nearly all texts. Takes the text as it came, before it is quoted. */
export function suspicionsOf(text: string): readonly Suspicion[] {
  return suspects.map((suspect) => suspect(text)).filter((found) => found !== null);
}
