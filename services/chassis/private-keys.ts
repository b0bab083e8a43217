/** Private keys in PEM: whole blocks, blocks cut off at either end, and blocks in base64. Linear. */

const HIDDEN = '[secret]';
const marker = /-----(BEGIN|END) ([A-Z0-9 ]{1,60})-----/g;
/** How far from a marker without its other half the rest of a key may be. */
const REACH = 16 * 1024;
/** A line of it, without the `n` of the escape before it. */
const body = /(?:(?<![A-Za-z0-9+/\\])|(?<=\\[nrtbf]))[A-Za-z0-9+/]{24,}={0,2}/g;

/** Certificates and public keys stay. Quotes stay too, so that JSON stays JSON. */
export function scrubPrivateKeys(text: string): string {
  const scrubbed = text.replace(/LS0tLS1CRUdJTi[A-Za-z0-9+/_-]{16,}={0,2}/g, (found) =>
    Buffer.from(found.slice(0, 96), 'base64').includes('PRIVATE KEY') ? HIDDEN : found,
  );
  return scrubbed.includes('PRIVATE KEY') ? scrubBlocks(scrubbed) : scrubbed;
}

interface Marker {
  readonly begins: boolean;
  readonly isPrivate: boolean;
  readonly start: number;
  readonly end: number;
}

function scrubBlocks(text: string): string {
  const markers = [...text.matchAll(marker)].map(
    (match): Marker => ({
      begins: match[1] === 'BEGIN',
      isPrivate: match[2]?.includes('PRIVATE KEY') ?? false,
      start: match.index,
      end: match.index + match[0].length,
    }),
  );
  let result = '';
  let done = 0;
  for (const [index, { begins, isPrivate, start, end }] of markers.entries()) {
    if (!isPrivate || start < done) continue;
    const next = markers[index + 1];
    if (!begins) {
      // Its beginning was cut off: what stands before it, as far as the last marker, is the key.
      const from = Math.max(done, start - REACH, markers[index - 1]?.end ?? 0);
      result += text.slice(done, from) + text.slice(from, start).replace(body, HIDDEN) + HIDDEN;
      done = end;
    } else if (next?.isPrivate && !next.begins && !text.slice(end, next.start).includes('"')) {
      result += text.slice(done, start) + HIDDEN;
      done = next.end;
    } else {
      const until = Math.min(text.length, end + REACH, next?.start ?? text.length);
      result += text.slice(done, start) + HIDDEN + text.slice(end, until).replace(body, HIDDEN);
      done = until;
    }
  }
  return result + text.slice(done);
}
