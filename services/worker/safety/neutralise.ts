/**
 * Makes visible what a reader would not see, and breaks what a model's template would take for its own:
 *
 * - control characters of terminals become their pictures (`␛[31m`), a line end of Windows becomes one of Unix,
 * - characters that hide, join or turn round text (zero width, bidi, tags, fillers, rare variation selectors, line
 *   separators) become `‹U+202E›`; joiners inside of emoji and of scripts that need them stay,
 * - the brackets of our own marks become `[[` and `]]`,
 * - the marks of chat templates lose a character: `<¦im_start¦>`, `[¦INST]`, `‹‹SYS››`, `<start¦of¦turn>`,
 * - half a surrogate pair becomes U+FFFD.
 *
 * Neutralising twice is neutralising once.
 */

/** Nearly every text passes this look, and stays as it is. */
const plain = /^[\t\n\x20-\x7e]*$/;
const templateStart = /<[|｜]|<<|\[\/?[A-Z]|_of_turn>/;

const hidden = new RegExp(
  [
    '[\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u200e\\u200f\\u2028-\\u202e]',
    '[\\u2060-\\u206f\\u3164\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff9-\\ufffb]',
    '[\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]',
    // A joiner does something only between letters that join; elsewhere, and several in a row, it is a hiding place.
    '(?<![^\\x00-\\x9f\\u200b-\\u200f\\ufe00-\\ufe0d])[\\u200c\\u200d]',
    '[\\u200c\\u200d](?![^\\x00-\\x9f\\u200b-\\u200f\\ufe00-\\ufe0d])',
    // U+FE0E and U+FE0F say how an emoji is drawn; the second in a row says nothing.
    '(?<=[\\ufe00-\\ufe0f])[\\ufe0e\\ufe0f]',
  ].join('|'),
  'gu',
);

const controls = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;
const controlsOfOld = /[\x80-\x9f]/g;

const shown = (character: string): string =>
  `‹U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`;

const picture = (character: string): string => {
  const code = character.charCodeAt(0);
  return String.fromCharCode(code === 0x7f ? 0x2421 : 0x2400 + code);
};

export function neutralise(text: string): string {
  if (plain.test(text)) return withoutTemplates(text);
  const visible = text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replaceAll('⟦', '[[')
    .replaceAll('⟧', ']]')
    .replace(controls, picture)
    .replace(hidden, shown)
    .replace(controlsOfOld, shown);
  return withoutTemplates(visible);
}

/** Local models read the marks of their chat template out of any text, and would take what follows for another's turn. */
function withoutTemplates(text: string): string {
  if (!templateStart.test(text)) return text;
  return text
    .replace(/<([|｜])([\w▁ -]{1,40})\1>/g, '<¦$2¦>')
    .replace(/\[(\/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT)\])/g, '[¦$1')
    .replace(/<<(\/?SYS)>>/g, '‹‹$1››')
    .replace(/<(start|end)_of_turn>/g, '<$1¦of¦turn>');
}

/** Only what hides, joins or turns round text made visible: for people who read texts of others. */
export const shownHidden = (text: string): string => text.replace(hidden, shown);

/** What in a text hides or turns round other text, as `U+202E at character 17`; at most `most` of them. */
export function hiddenCharacters(text: string, most = 3): readonly string[] {
  if (plain.test(text)) return [];
  const found: string[] = [];
  for (const match of text.matchAll(hidden)) {
    found.push(`${shown(match[0]).slice(1, -1)} at character ${match.index + 1}`);
    if (found.length === most) break;
  }
  return found;
}
