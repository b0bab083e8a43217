/** Output that stays small however much there is: the beginning and the end are kept, the middle is counted. */

/** Collects a stream in exactly `limit` bytes, in chunks of whatever size it comes. */
export class HeadAndTail {
  /** Bytes seen in all. */
  total = 0;
  readonly limit: number;
  readonly #head: Buffer;
  /** The last bytes after the head, as a ring: the next one goes to `#next`. */
  readonly #tail: Buffer;
  #next = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.#head = Buffer.alloc(Math.floor(limit / 2));
    this.#tail = Buffer.alloc(limit - this.#head.length);
  }

  push(chunk: Buffer): void {
    const taken = Math.max(0, Math.min(chunk.length, this.#head.length - this.total));
    chunk.copy(this.#head, this.total, 0, taken);
    this.total += chunk.length;
    // What would be overwritten by the same chunk is not copied.
    const skipped = Math.max(taken, chunk.length - this.#tail.length);
    for (let from = skipped; from < chunk.length; ) {
      const copied = chunk.copy(this.#tail, this.#next, from);
      from += copied;
      this.#next = (this.#next + copied) % this.#tail.length;
    }
  }

  /** All bytes while there are at most `limit`; else the first and the last, without what was between. */
  get kept(): Buffer {
    const rest = this.total - this.#head.length;
    if (rest <= 0) return this.#head.subarray(0, this.total);
    const tail =
      rest < this.#tail.length
        ? [this.#tail.subarray(0, rest)]
        : [this.#tail.subarray(this.#next), this.#tail.subarray(0, this.#next)];
    return Buffer.concat([this.#head, ...tail]);
  }

  /** What was kept, as text of at most about `limit` bytes; what is missing is said where it is missing. */
  text(limit: number): { text: string; truncated: boolean } {
    const { kept } = this;
    if (this.total <= Math.min(limit, this.limit)) return { text: kept.toString('utf8'), truncated: false };
    const head = wholeCharacters(kept.subarray(0, Math.min(Math.floor(limit / 2), this.#head.length)));
    const end = Math.min(Math.ceil(limit / 2), this.#tail.length, kept.length - head.length);
    const tail = withoutBrokenStart(kept.subarray(kept.length - end));
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
