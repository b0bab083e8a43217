/** Where in a file a value is, and errors that say so. */
import { type Document, isMap, type LineCounter } from 'yaml';
import type { z } from 'zod';

export type Place = readonly PropertyKey[];

export class Places {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #file: string;

  constructor(document: Document.Parsed, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  /** `file:line:column: message` */
  at(offset: number, message: string): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#file}:${Math.max(1, line)}:${Math.max(1, col)}: ${message}`;
  }

  of(path: Place, where: string, found: string, expected: string): string {
    return this.at(this.#offset(path), `${where}: ${found}, expected ${expected}`);
  }

  line(path: Place): string {
    return `line ${this.#lines.linePos(this.#offset(path)).line}`;
  }

  /** `waves[0][2].script[1]` */
  name(path: Place): string {
    const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
    return text.replace(/^\./, '') || 'mission';
  }

  /** Of the value itself, or of the nearest thing around it that is there; of a key where the value is a key's. */
  #offset(path: Place): number {
    for (let length = path.length; length >= 0; length--) {
      const inner = path.slice(0, length);
      const last = path[length - 1];
      const parent: unknown = length > 0 ? this.#document.getIn(inner.slice(0, -1), true) : null;
      if (isMap(parent)) {
        const pair = parent.items.find((item) => keyText(item.key) === String(last));
        const offset = start(pair?.key);
        if (offset !== null) return offset;
        continue;
      }
      const offset = start(this.#document.getIn(inner, true));
      if (offset !== null) return offset;
    }
    return 0;
  }
}

function start(node: unknown): number | null {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range))
    return null;
  return typeof node.range[0] === 'number' ? node.range[0] : null;
}

function keyText(key: unknown): string {
  return typeof key === 'object' && key !== null && 'value' in key ? String(key.value) : String(key);
}

/** The lines for one issue of the schema. */
export function describeIssue(issue: z.core.$ZodIssue, content: unknown, places: Places): string[] {
  const where = places.name(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      places.of([...issue.path, key], where, `found the unknown key ${key}`, 'none of that name'),
    );
  }
  return [places.of(issue.path, where, `found ${foundBy(issue, content)}`, expectedBy(issue))];
}

export const foundBy = (issue: z.core.$ZodIssue, content: unknown): string =>
  shown(valueAt(content, issue.path));

/** In words; of an issue of ours what its message says. */
export function expectedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return names[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message.replace(/^expected /, '');
  }
}

const names: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  if (origin === 'array') return ' items';
  return '';
}

function valueAt(content: unknown, path: Place): unknown {
  let value = content;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string' && value.length > 60) return `a text of ${value.length} characters`;
  if (Array.isArray(value)) return `a list of ${value.length} items`;
  if (typeof value === 'object' && value !== null)
    return `the keys ${Object.keys(value).slice(0, 8).join(', ') || '(none)'}`;
  return JSON.stringify(value);
}
