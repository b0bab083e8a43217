/**
 * Letters, digits and what cannot mean anything to Mermaid or HTML stay; all else becomes the number of the character,
 * which Mermaid shows as it: quotes, brackets, `#`, `;`, `%%{`, back quotes, tags. What is not seen is taken out.
 */
export function mermaidText(text: string): string {
  return text
    .replace(/\p{C}/gu, (character) => (/\p{Cc}/u.test(character) ? ' ' : ''))
    .replace(/[^\p{L}\p{M}\p{N} ,_-]/gu, (character) => `#${character.codePointAt(0)};`);
}
