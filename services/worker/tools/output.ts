/** Output that stays small however much there is: the beginning and the end are kept, the middle is counted. */

/** Collects a stream in at most `limit` bytes (and one chunk). */
export class HeadAndTail {
  /** Bytes seen in all. */
  total = 0;
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Buffer[] = [];
  #headSize = 0;
  readonly #tail: Buffer[] = [];
  #tailSize = 0;

  constructor(limit: number) {
    this.#headLimit = Math.floor(limit / 2);
    this.#tailLimit = limit - this.#headLimit;
  }

  push(chunk: Buffer): void {
    this.total += chunk.length;
    let rest = chunk;
    if (this.#headSize < this.#headLimit) {
      const taken = rest.subarray(0, this.#headLimit - this.#headSize);
      this.#head.push(taken);
      this.#headSize += taken.length;
      rest = rest.subarray(taken.length);
    }
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailSize += rest.length;
    for (
      let first = this.#tail[0];
      first && this.#tailSize - first.length >= this.#tailLimit;
      first = this.#tail[0]
    ) {
      this.#tailSize -= first.length;
      this.#tail.shift();
    }
  }

  /** What was kept, as text of at most about `limit` bytes; what is missing is said where it is missing. */
  text(limit: number): { text: string; truncated: boolean } {
    const kept = Buffer.concat([...this.#head, ...this.#tail]);
    if (kept.length === this.total && this.total <= limit)
      return { text: kept.toString('utf8'), truncated: false };
    // Where the middle was dropped, the kept tail is longer than its limit, so both pieces are contiguous.
    const head = wholeCharacters(kept.subarray(0, Math.min(Math.floor(limit / 2), this.#headSize)));
    const end = kept.subarray(
      kept.length - Math.min(Math.ceil(limit / 2), this.#tailLimit, kept.length - head.length),
    );
    const tail = withoutBrokenStart(end);
    const left = this.total - head.length - tail.length;
    return {
      text: `${head.toString('utf8')}\n[... ${left} bytes left out ...]\n${tail.toString('utf8')}`,
      truncated: true,
    };
  }
}

/** Without a character that is cut off at the end. */
export function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

function withoutBrokenStart(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}

/**
 * JSON of at most `limit` bytes: `make` is asked for smaller and smaller pieces until its value fits, because
 * escaping may make six bytes of one.
 */
export function fitJson(limit: number, make: (pieceLimit: number) => unknown): string {
  for (let piece = limit; ; piece = Math.floor(piece / 2)) {
    const text = JSON.stringify(make(piece));
    if (Buffer.byteLength(text) <= limit || piece < 16) return text;
  }
}
