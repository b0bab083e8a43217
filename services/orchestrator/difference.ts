/** Where two values first differ, with what is there in each, as short JSON. */
export interface Difference {
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

const mostShown = 300;

/** The first difference between two values of plain data; null: none. Prototypes and the order of keys do not count. */
export function difference(expected: unknown, found: unknown, path = ''): Difference | null {
  if (Object.is(expected, found)) return null;
  if (!isObject(expected) || !isObject(found) || Array.isArray(expected) !== Array.isArray(found)) {
    return { path, expected: show(expected), found: show(found) };
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const inside = difference(expected[key], found[key], path === '' ? key : `${path}.${key}`);
    if (inside !== null) return inside;
  }
  return null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
}
