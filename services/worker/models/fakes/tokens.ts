import { createHash } from 'node:crypto';

/** Tokens of a text, as all fakes count them: one for each 4 bytes of UTF-8 begun. Never more than bytes. */
export function tokensIn(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** Tokens of the pieces that a prompt consists of, each counted by itself. */
export function tokensOf(pieces: readonly string[]): number {
  return pieces.reduce((sum, piece) => sum + tokensIn(piece), 0);
}

/** The longest beginning of a text that has at most so many tokens and breaks no character. */
export function firstTokens(text: string, tokens: number): string {
  if (tokensIn(text) <= tokens) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > tokens * 4) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** A text in about `count` pieces, as a stream sends it; no character is broken. Empty: no piece. */
export function piecesOf(text: string, count: number): string[] {
  const characters = Array.from(text);
  const size = Math.max(4, Math.ceil(characters.length / count));
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += size) pieces.push(characters.slice(at, at + size).join(''));
  return pieces;
}

/** An id that depends on what it is made of, so that the same request gets the same ids on any fake. */
export function idOf(prefix: string, ...parts: readonly string[]): string {
  const digest = createHash('sha256').update(parts.join('\u0000')).digest('hex');
  return `${prefix}${digest.slice(0, 24)}`;
}

/** What a request asks for, however it wants the answer sent: the same streamed or not. */
export function seedOf(body: Readonly<Record<string, unknown>>): string {
  const { stream: _stream, stream_options: _options, ...asked } = body;
  return JSON.stringify(asked);
}
