const ellipsis = '…';

/** The text if it has at most so many bytes as UTF-8, else as much of its beginning as fits, and `…`. */
export function cut(text: string, mostBytes: number): string {
  // No UTF-16 unit needs more than three bytes.
  if (text.length * 3 <= mostBytes || Buffer.byteLength(text) <= mostBytes) return text;
  const room = mostBytes - Buffer.byteLength(ellipsis);
  if (room < 0) return '';
  const bytes = Buffer.from(text);
  let end = room;
  // Bytes 10xxxxxx continue a character: step back to where the cut one begins.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end) + ellipsis;
}
