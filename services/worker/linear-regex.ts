/**
 * Regular expressions whose matching takes time in proportion to the text, whatever the expression and the text are:
 * all paths are followed at once (Thompson's construction) and nothing is tried again. What JavaScript's own engine
 * does with `(a+)+` can hang a worker for as long as an attacker likes.
 *
 * The subset, as JavaScript means it with the flag `u`: literals, `.`, classes, `\d \w \s` and their opposites,
 * `\n \t \r \xHH \uHHHH`, groups, `|`, `* + ? {n} {n,} {n,m}`. No references, look-around or anchors: a match is
 * always of the whole text.
 */

type Test = (code: number) => boolean;

type Node =
  | { readonly kind: 'test'; readonly test: Test }
  | { readonly kind: 'sequence' | 'either'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly least: number; readonly most: number };

/** `split` goes on at both; `test` consumes a character and goes on at the next instruction. */
type Instruction =
  | { readonly kind: 'test'; readonly test: Test }
  | { readonly kind: 'split'; to: number; or: number }
  | { readonly kind: 'end' };

const MOST_INSTRUCTIONS = 2_000;
const MOST_DEPTH = 50;

/** Whether the whole text matches. */
export type WholeMatch = (text: string) => boolean;

/** Throws a SyntaxError that says where and what is not understood. */
export function compileRegex(source: string): WholeMatch {
  return matcher(new Parser(source).parse());
}

/** The same machine for a glob: `*` is any number of characters that `inStar` allows, all else is itself. */
export function compileGlob(glob: string, inStar: (character: string) => boolean = () => true): WholeMatch {
  const star: Node = {
    kind: 'repeat',
    part: { kind: 'test', test: (code) => inStar(String.fromCodePoint(code)) },
    least: 0,
    most: Number.POSITIVE_INFINITY,
  };
  const parts = Array.from(glob, (character) => (character === '*' ? star : literal(character)));
  return matcher({ kind: 'sequence', parts });
}

const literal = (character: string): Node => {
  const wanted = character.codePointAt(0);
  return { kind: 'test', test: (code) => code === wanted };
};

function matcher(node: Node): WholeMatch {
  const program: Instruction[] = [];
  emit(node, program, { left: MOST_INSTRUCTIONS });
  program.push({ kind: 'end' });
  return (text) => run(program, text);
}

/** Empty parts, which need no instruction, count as well: repeated often enough they take just as long. */
function emit(node: Node, program: Instruction[], budget: { left: number }): void {
  if (--budget.left < 0)
    throw new SyntaxError(`the pattern is too large; expected at most ${MOST_INSTRUCTIONS} steps`);
  switch (node.kind) {
    case 'test':
      program.push(node);
      return;
    case 'sequence':
      for (const part of node.parts) emit(part, program, budget);
      return;
    case 'either': {
      const ends: { to: number; or: number }[] = [];
      for (const [index, part] of node.parts.entries()) {
        if (index === node.parts.length - 1) emit(part, program, budget);
        else {
          const fork = split(program);
          emit(part, program, budget);
          ends.push(split(program));
          fork.or = program.length;
        }
      }
      for (const end of ends) end.to = end.or = program.length;
      return;
    }
    case 'repeat': {
      for (let count = 0; count < node.least; count++) emit(node.part, program, budget);
      if (node.most === Number.POSITIVE_INFINITY) {
        const start = program.length;
        const fork = split(program);
        emit(node.part, program, budget);
        const back = split(program);
        back.to = back.or = start;
        fork.or = program.length;
        return;
      }
      const forks: { to: number; or: number }[] = [];
      for (let count = node.least; count < node.most; count++) {
        forks.push(split(program));
        emit(node.part, program, budget);
      }
      for (const fork of forks) fork.or = program.length;
    }
  }
}

/** A fork whose first way is the next instruction. */
function split(program: Instruction[]): { to: number; or: number } {
  const fork = { kind: 'split' as const, to: program.length + 1, or: program.length + 1 };
  program.push(fork);
  return fork;
}

function run(program: readonly Instruction[], text: string): boolean {
  let now: number[] = [];
  let next: number[] = [];
  // When a place was last added, so that none is twice in a list.
  const added = new Int32Array(program.length).fill(-1);
  let at = 0;
  const add = (start: number, list: number[]) => {
    const pending = [start];
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      if (added[place] === at) continue;
      added[place] = at;
      const instruction = program[place];
      if (instruction?.kind === 'split') pending.push(instruction.or, instruction.to);
      else list.push(place);
    }
  };
  add(0, now);
  for (const character of text) {
    at++;
    const code = character.codePointAt(0) ?? 0;
    for (const place of now) {
      const instruction = program[place];
      if (instruction?.kind === 'test' && instruction.test(code)) add(place + 1, next);
    }
    [now, next] = [next, now];
    next.length = 0;
    if (now.length === 0) return false;
  }
  return now.some((place) => program[place]?.kind === 'end');
}

const classes: Readonly<Record<string, RegExp>> = {
  d: /\d/u,
  D: /\D/u,
  w: /\w/u,
  W: /\W/u,
  s: /\s/u,
  S: /\S/u,
};
const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
const dot = /./u;
/** What a backslash may make a literal. */
const punctuation = /^[\^$\\.*+?()[\]{}|/-]$/;

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
  }

  parse(): Node {
    const node = this.#either();
    if (this.#at < this.#characters.length) throw this.#bad('")" that closes nothing');
    return node;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #bad(found: string): SyntaxError {
    return new SyntaxError(`found ${found} at character ${this.#at + 1} of the regular expression`);
  }

  #take(wanted: string): boolean {
    if (this.#next !== wanted) return false;
    this.#at++;
    return true;
  }

  #either(): Node {
    if (++this.#depth > MOST_DEPTH) throw this.#bad(`groups deeper than ${MOST_DEPTH}`);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth--;
    return { kind: 'either', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#next !== undefined && this.#next !== '|' && this.#next !== ')') parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): Node {
    const part = this.#atom();
    let range: readonly [number, number] | null = null;
    if (this.#take('*')) range = [0, Number.POSITIVE_INFINITY];
    else if (this.#take('+')) range = [1, Number.POSITIVE_INFINITY];
    else if (this.#take('?')) range = [0, 1];
    else if (this.#take('{')) range = this.#counts();
    if (range === null) return part;
    // Whether as little or as much as possible is taken makes no difference to a match of the whole text.
    this.#take('?');
    return { kind: 'repeat', part, least: range[0], most: range[1] };
  }

  #counts(): readonly [number, number] {
    const close = this.#characters.indexOf('}', this.#at);
    const text = close < 0 ? '' : this.#characters.slice(this.#at, close).join('');
    const found = /^(?<least>\d{1,4})(?<comma>,(?<most>\d{1,4})?)?$/.exec(text)?.groups;
    if (!found) throw this.#bad('"{" without a count');
    const least = Number(found['least']);
    const most =
      found['comma'] === undefined
        ? least
        : found['most'] === undefined
          ? Number.POSITIVE_INFINITY
          : Number(found['most']);
    if (most < least) throw this.#bad(`the counts {${text}} in the wrong order`);
    this.#at = close + 1;
    return [least, most];
  }

  #atom(): Node {
    const character = this.#next;
    if (character === undefined || /^[*+?{}\]^$]$/.test(character))
      throw this.#bad(`${JSON.stringify(character ?? 'the end')}, which means nothing here`);
    this.#at++;
    if (character === '.') return { kind: 'test', test: (code) => dot.test(String.fromCodePoint(code)) };
    if (character === '[') return { kind: 'test', test: this.#set() };
    if (character === '\\') {
      const escaped = this.#escape();
      return typeof escaped === 'string' ? literal(escaped) : { kind: 'test', test: escaped };
    }
    if (character !== '(') return literal(character);
    if (this.#take('?') && !this.#take(':')) throw this.#bad('"(?", of which only "(?:" is understood');
    const inside = this.#either();
    if (!this.#take(')')) throw this.#bad('the end, expected ")"');
    return inside;
  }

  /** A character, or a class of them. */
  #escape(): string | Test {
    const letter = this.#next ?? '';
    this.#at++;
    const known = classes[letter];
    if (known) return (code) => known.test(String.fromCodePoint(code));
    const control = controls[letter];
    if (control !== undefined) return control;
    if (letter === 'x' || letter === 'u') {
      const length = letter === 'x' ? 2 : 4;
      const digits = this.#characters.slice(this.#at, this.#at + length).join('');
      if (/^[0-9a-fA-F]+$/.test(digits) && digits.length === length) {
        this.#at += length;
        return String.fromCodePoint(Number.parseInt(digits, 16));
      }
    }
    if (punctuation.test(letter)) return letter;
    throw this.#bad(`"\\${letter}", which is not understood`);
  }

  #set(): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    while (!this.#take(']')) {
      const first = this.#member();
      if (this.#next === '-' && (this.#characters[this.#at + 1] ?? ']') !== ']') {
        this.#at++;
        const last = this.#member();
        if (typeof first !== 'string' || typeof last !== 'string') throw this.#bad('a range of classes');
        const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
        if (to < from) throw this.#bad('a range in the wrong order');
        tests.push((code) => code >= from && code <= to);
      } else if (typeof first === 'string') {
        const wanted = first.codePointAt(0);
        tests.push((code) => code === wanted);
      } else tests.push(first);
    }
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #member(): string | Test {
    const character = this.#next;
    if (character === undefined) throw this.#bad('the end, expected "]"');
    this.#at++;
    return character === '\\' ? this.#escape() : character;
  }
}
