/**
 * Text that comes in pieces, scrubbed as if it had come whole; but of a private key whose beginning is missing, only what
 * is still held back when its end comes.
 */

/** The most characters held back, so that text without a space, or a private key without an end, comes out at all. */
const MOST_HELD = 64 * 1024;
const TRIES = 13;

export class ScrubStream {
  readonly #scrub: (text: string) => string;
  readonly #longest: () => number;
  #held = '';
  #tryAt = 0;

  /** `longest` says how long a known secret may be. */
  constructor(scrub: (text: string) => string, longest: () => number) {
    this.#scrub = scrub;
    this.#longest = longest;
  }

  /** What of all so far can be shown; the rest is held back, because a secret may have begun in it. */
  push(piece: string): string {
    this.#held += piece;
    const tail = Math.max(256, this.#longest());
    // Not for each letter anew.
    if (this.#held.length < Math.max(2 * tail, this.#tryAt)) return '';
    const shown = this.#show(tail);
    this.#tryAt = this.#held.length + tail;
    return shown;
  }

  /** The rest. The stream can be used again. */
  end(): string {
    const rest = this.#scrub(this.#held);
    this.#held = '';
    this.#tryAt = 0;
    return rest;
  }

  /** Cuts at a space that lies in no secret: where both parts are scrubbed to the same as the whole. */
  #show(tail: number): string {
    const held = this.#held;
    const whole = this.#scrub(held);
    let before = held.length - tail;
    for (let tries = 0; tries < TRIES && before > 0; tries++) {
      const cut = Math.max(held.lastIndexOf(' ', before), held.lastIndexOf('\n', before)) + 1;
      if (cut === 0) break;
      const head = this.#scrub(held.slice(0, cut));
      if (head + this.#scrub(held.slice(cut)) === whole) {
        this.#held = held.slice(cut);
        return head;
      }
      before = cut - 2 ** tries;
    }
    if (held.length < MOST_HELD + tail) return '';
    this.#held = held.slice(-tail);
    return this.#scrub(held.slice(0, -tail));
  }
}
