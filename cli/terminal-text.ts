/**
 * The one place where text becomes fit for a person's terminal. Names, briefs, results and messages are written by
 * anybody: what would move the cursor, retitle the window, hide, or turn text round never reaches the screen.
 */
import { stripVTControlCharacters } from 'node:util';
import { shownHidden } from '#worker/safety/neutralise.ts';

/** Bold, dim, and the colours that we use ourselves; and their ends. */
const ourColors = /(\u001b\[(?:1|2|22|31|32|33|36|39)m)/;
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text of others, of any number of lines, without any control sequence; hidden characters are shown: `‹U+202E›`. */
export function plainText(text: string): string {
  return shownHidden(stripVTControlCharacters(text.replaceAll('\r\n', '\n')).replace(controls, ' '));
}

/** The same for a text of ours: our own colours stay. */
export function coloredText(text: string): string {
  if (!text.includes('\u001b')) return plainText(text);
  return text
    .split(ourColors)
    .map((piece, at) => (at % 2 === 1 ? piece : plainText(piece)))
    .join('');
}

/** JSON that says the same, with escapes for what a terminal would not show as it is. */
export function plainJson(json: string): string {
  return json.replace(unprintable, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Line ends are between the values of JSON, never within them. */
const unprintable = /[^\P{C}\n]|[\u2028\u2029]/gu;
