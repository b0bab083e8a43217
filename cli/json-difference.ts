const mostLines = 200;
const longest = 200;

/** What changed from one JSON value to another, a line for each place: `payload.code: "a" → "b"`. */
export function jsonDifference(before: unknown, after: unknown): string[] {
  const lines: string[] = [];
  compare(before, after, '', lines);
  return lines.length > mostLines
    ? [...lines.slice(0, mostLines), `… and ${lines.length - mostLines} more`]
    : lines;
}

function compare(before: unknown, after: unknown, path: string, lines: string[]): void {
  if (Object.is(before, after)) return;
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = path === '' ? key : `${path}.${key}`;
      compare(ownValue(before, key), ownValue(after, key), at, lines);
    }
    return;
  }
  lines.push(`${path || 'all'}: ${shown(before)} → ${shown(after)}`);
}

const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const ownValue = (tree: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(tree, key) ? tree[key] : undefined;

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? 'nothing');
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
