/** The texts in which a known secret may turn up. */

/** Shorter values would be found in ordinary text. */
export const SHORTEST_SECRET = 8;
/** This many characters in a row of a longer secret are taken for it: output is cut, and base64 is wrapped. */
const FRAGMENT = 16;

export interface Form {
  readonly text: string;
  /** The fewest characters in a row that are taken for this form; its length where only the whole is. */
  readonly least: number;
}

/**
 * A value as it is, in JSON (once, twice and three times), in a URL, in base64 and base64url wherever it lies in what
 * was encoded, and in hex, plain or as od, xxd and openssl write it. Empty when the value is too short.
 */
export function formsOf(value: string): readonly Form[] {
  if (value.length < SHORTEST_SECRET) return [];
  const texts = new Map<string, number>();
  const add = (text: string, least: number) => {
    if (text.length >= SHORTEST_SECRET && !texts.has(text)) texts.set(text, Math.min(text.length, least));
  };
  // A pass phrase of words shares long pieces with ordinary text; a token does not.
  add(value, isToken(value) ? FRAGMENT : value.length);
  let escaped = value;
  for (let depth = 0; depth < 3; depth++) {
    escaped = JSON.stringify(escaped).slice(1, -1);
    add(escaped, escaped.length);
  }
  for (const encoded of urlForms(value.toWellFormed())) add(encoded, encoded.length);
  const bytes = Buffer.from(value);
  for (const shift of [0, 1, 2]) {
    const base64 = inBase64(bytes, shift);
    add(base64, FRAGMENT);
    add(base64.replaceAll('+', '-').replaceAll('/', '_'), FRAGMENT);
  }
  const hex = bytes.toString('hex');
  const pairs = hex.match(/../g) ?? [];
  add(hex, FRAGMENT);
  add(hex.toUpperCase(), FRAGMENT);
  add(pairs.join(' '), FRAGMENT);
  add(pairs.join(':'), FRAGMENT);
  add(pairs.join(':').toUpperCase(), FRAGMENT);
  add(grouped(hex), FRAGMENT);
  add(`${hex.slice(0, 2)} ${grouped(hex.slice(2))}`, FRAGMENT);
  return [...texts].map(([text, least]) => ({ text, least }));
}

/** One run of characters of which keys are made, with a digit in it. */
const isToken = (value: string): boolean => /^[\w+/=.~-]+$/.test(value) && /\d/.test(value);

function urlForms(value: string): string[] {
  const component = encodeURIComponent(value);
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const lower = (text: string) => text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  return [component, form, lower(component), lower(form)];
}

/** The characters of base64 that depend on these bytes alone, when `shift` (modulo 3) bytes stand before them. */
function inBase64(bytes: Buffer, shift: number): string {
  const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
  return shifted.toString('base64').slice(Math.ceil((shift * 8) / 6), Math.floor((shifted.length * 8) / 6));
}

const grouped = (hex: string): string => (hex.match(/.{1,4}/g) ?? []).join(' ');
