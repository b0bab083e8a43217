/**
 * Reads a shell script as far as safety rules need it: which programs are run with which words, what is piped or
 * redirected where. It knows quotes, comments, here-documents and substitutions, so that a rule is not fooled by
 * `r\m` or `"rm"`, and does not take the text of a message for a command. It expands nothing, and throws nothing:
 * what is not a script is read as well as may be. Linear.
 */

export interface Word {
  /** Without quotes; variables as written, substitutions as `$()`. */
  readonly text: string;
  /** What is run inside of it. */
  readonly inner: readonly Command[];
  /** Any part was quoted. */
  readonly quoted: boolean;
}

export interface Redirect {
  /** `>`, `>>`, `<`, `<>`, `>&`, `<<<`, … without the number before it. */
  readonly operator: string;
  readonly target: Word;
}

export interface Command {
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
  /** The text of its here-documents. */
  readonly input: string;
  /** What is piped into it. */
  readonly from: Command | null;
}

const DEEPEST = 24;

/** All commands, in order, those inside of substitutions too. */
export function readScript(script: string): readonly Command[] {
  return new Reader(script).list(null, 0);
}

/** A command that no shell reads. */
export function commandOf(argv: readonly string[]): Command {
  const words = argv.map((text) => ({ text, inner: [], quoted: true }));
  return { words, redirects: [], input: '', from: null };
}

interface Draft {
  words: Word[];
  redirects: Redirect[];
  input: string;
  from: Command | null;
}

interface HereDocument {
  readonly end: string;
  readonly indented: boolean;
  readonly command: Draft;
}

class Reader {
  readonly #text: string;
  #at = 0;
  #hereDocuments: HereDocument[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** Until `close`, which is passed over, or the end. */
  list(close: ')' | null, depth: number): Command[] {
    const all: Command[] = [];
    let draft: Draft = { words: [], redirects: [], input: '', from: null };
    const finish = (piped: boolean) => {
      const isEmpty = draft.words.length === 0 && draft.redirects.length === 0;
      const last: Command | null = isEmpty ? (all.at(-1) ?? null) : draft;
      if (!isEmpty) all.push(draft);
      // A pipe before which a group ends takes the group's last command.
      const from = piped ? last : isEmpty ? draft.from : null;
      draft = { words: [], redirects: [], input: '', from };
    };
    for (;;) {
      this.#blanks();
      const next = this.#text[this.#at];
      if (next === undefined) break;
      if (next === '\n') {
        this.#at++;
        const piped = draft.words.length === 0;
        if (!piped) finish(false);
        this.#skipHereDocuments();
      } else if (next === '#') {
        this.#to(this.#indexOf('\n'));
      } else if (next === ')') {
        this.#at++;
        if (close === ')') break;
        finish(false);
      } else if (next === '(') {
        this.#at++;
        finish(draft.words.length === 0 && draft.from !== null && draft.redirects.length === 0);
        if (close === ')' && depth < DEEPEST) all.push(...this.list(')', depth + 1));
      } else if (next === '|' && this.#text[this.#at + 1] !== '|') {
        this.#at += this.#text[this.#at + 1] === '&' ? 2 : 1;
        finish(true);
      } else if (next === ';' || next === '|' || (next === '&' && this.#text[this.#at + 1] !== '>')) {
        while (';&|'.includes(this.#text[this.#at] ?? ' ')) this.#at++;
        finish(false);
      } else if (!this.#redirect(draft, depth)) {
        const word = this.#word(depth);
        all.push(...word.inner);
        // Words of the shell's grammar are no program's name.
        if (draft.words.length > 0 || word.quoted || !keywords.has(word.text)) draft.words.push(word);
      }
    }
    finish(false);
    return all;
  }

  #redirect(draft: Draft, depth: number): boolean {
    redirectStart.lastIndex = this.#at;
    const match = redirectStart.exec(this.#text);
    if (match === null || this.#text.startsWith('(', redirectStart.lastIndex)) return false;
    this.#at = redirectStart.lastIndex;
    this.#blanks();
    const operator = match[1] ?? '';
    const target = this.#word(depth);
    if (operator === '<<' || operator === '<<-') {
      this.#hereDocuments.push({ end: target.text, indented: operator === '<<-', command: draft });
    } else if (operator === '<<<') draft.input += `${target.text}\n`;
    draft.redirects.push({ operator, target });
    return true;
  }

  /** Passes over at least one character. */
  #word(depth: number): Word {
    let text = '';
    let quoted = false;
    const inner: Command[] = [];
    const start = this.#at;
    for (;;) {
      const next = this.#text[this.#at];
      const two = next === undefined ? '' : next + (this.#text[this.#at + 1] ?? '');
      if (next === undefined || (endsWord.has(next) && two !== '<(' && two !== '>(')) break;
      if (next === '\\') {
        if (this.#text[this.#at + 1] !== '\n') text += this.#text[this.#at + 1] ?? '';
        this.#at += 2;
      } else if (next === "'") {
        const end = this.#indexOf("'", this.#at + 1);
        text += this.#text.slice(this.#at + 1, end);
        this.#to(end + 1);
        quoted = true;
      } else if (next === '"') {
        text += this.#doubleQuoted(inner, depth);
        quoted = true;
      } else if (two === '$(' || two === '<(' || two === '>(') {
        text += this.#substitution(inner, depth);
      } else if (next === '`') {
        text += this.#backticks(inner, depth);
      } else {
        text += next;
        this.#at++;
      }
    }
    if (this.#at === start) this.#at++;
    return { text, inner, quoted };
  }

  #doubleQuoted(inner: Command[], depth: number): string {
    let text = '';
    this.#at++;
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined || next === '"') break;
      if (next === '\\') {
        const escaped = this.#text[this.#at + 1] ?? '';
        if (escaped !== '\n') text += '"\\$`'.includes(escaped) ? escaped : `\\${escaped}`;
        this.#at += 2;
      } else if (next === '$' && this.#text[this.#at + 1] === '(') text += this.#substitution(inner, depth);
      else if (next === '`') text += this.#backticks(inner, depth);
      else {
        text += next;
        this.#at++;
      }
    }
    this.#at++;
    return text;
  }

  #substitution(inner: Command[], depth: number): string {
    const mark = `${this.#text[this.#at]}()`;
    this.#at += 2;
    if (depth < DEEPEST) inner.push(...this.list(')', depth + 1));
    return mark;
  }

  #backticks(inner: Command[], depth: number): string {
    const end = this.#indexOf('`', this.#at + 1);
    if (depth < DEEPEST) inner.push(...new Reader(this.#text.slice(this.#at + 1, end)).list(null, DEEPEST));
    this.#to(end + 1);
    return '$()';
  }

  #skipHereDocuments(): void {
    for (const { end, indented, command } of this.#hereDocuments) {
      for (;;) {
        if (this.#at >= this.#text.length) break;
        const lineEnd = this.#indexOf('\n');
        const line = this.#text.slice(this.#at, lineEnd);
        this.#to(lineEnd + 1);
        if ((indented ? line.replace(/^\t+/, '') : line) === end) break;
        command.input += `${line}\n`;
      }
    }
    this.#hereDocuments = [];
  }

  #blanks(): void {
    for (;;) {
      const next = this.#text[this.#at];
      if (next === ' ' || next === '\t' || next === '\r') this.#at++;
      else if (next === '\\' && this.#text[this.#at + 1] === '\n') this.#at += 2;
      else return;
    }
  }

  #indexOf(character: string, from = this.#at): number {
    const found = this.#text.indexOf(character, from);
    return found < 0 ? this.#text.length : found;
  }

  #to(at: number): void {
    this.#at = Math.min(at, this.#text.length);
  }
}

const endsWord = new Set([' ', '\t', '\r', '\n', ';', '&', '|', '(', ')', '<', '>']);
const redirectStart = /(?:\d{1,5}|\{\w{1,30}\})?(&>>|&>|<<<|<<-|<<|<>|<&|>>|>&|>\||<|>)/y;
const keywords = new Set('if then else elif fi do done while until ! { } time coproc'.split(' '));
