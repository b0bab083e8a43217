import type { Condition, EventPattern } from '#schemas/types.gen.ts';
import { type EventView, rankOf, valueAt } from './event-view.ts';

/** Operators of conditions. */
export const operators = ['eq', 'ne', 'in', 'gt', 'gte', 'lt', 'lte', 'matches', 'exists'] as const;

/** What people see of a pattern. */
export const patternName = ({ name, type }: EventPattern): string => name || type || '*';

/** Whether an event is meant. What a pattern leaves empty is not looked at. */
export function fits(pattern: EventPattern, view: EventView): boolean {
  const { type, source, target, severity, topic, where } = pattern;
  const { source_agent, target_agent } = view.fact;
  return (
    anyFits(type, view.names) &&
    anyFits(source, [source_agent]) &&
    anyFits(target, [target_agent]) &&
    anyFits(topic, view.topics) &&
    (severity === '' || rankOf(view.severity) >= rankOf(severity)) &&
    where.every((condition) => holds(condition, view))
  );
}

const anyFits = (glob: string, texts: readonly string[]): boolean =>
  glob === '' || texts.some((text) => fitsText(glob, text));

/** `*` stands for any text. Not a regular expression: the longest text of a stranger takes no longer than to read it. */
export function fitsText(glob: string, text: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  const last = rest.pop();
  if (last === undefined) return glob === text;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return text.length - from >= last.length && text.endsWith(last);
}

/** Whether a condition holds of the event. One whose value is no JSON, or whose operator nobody knows, never does. */
export function holds({ path, op, value }: Condition, { fields }: EventView): boolean {
  const found = valueAt(fields, path);
  const wanted = json(value);
  switch (op) {
    case '':
    case 'eq':
      return wanted !== undefined && same(found, wanted);
    case 'ne':
      return wanted !== undefined && !same(found, wanted);
    case 'in':
      return Array.isArray(wanted) && wanted.some((each) => same(found, each));
    case 'gt':
      return compared(found, wanted, (order) => order > 0);
    case 'gte':
      return compared(found, wanted, (order) => order >= 0);
    case 'lt':
      return compared(found, wanted, (order) => order < 0);
    case 'lte':
      return compared(found, wanted, (order) => order <= 0);
    case 'matches':
      return typeof wanted === 'string' && scalar(found) && fitsText(wanted, String(found));
    case 'exists':
      return (found !== undefined) === (wanted !== false);
    default:
      return false;
  }
}

/** For people: `payload.code eq "timeout"`. */
export const conditionText = ({ path, op, value }: Condition): string =>
  [path, op || 'eq', value].filter((part) => part !== '').join(' ');

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const scalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** Values of JSON, whatever the order of their keys. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

/** Two numbers, or two texts; nothing else has an order. */
function compared(found: unknown, wanted: unknown, right: (order: number) => boolean): boolean {
  if (typeof found === 'number' && typeof wanted === 'number') return right(found - wanted);
  if (typeof found !== 'string' || typeof wanted !== 'string') return false;
  return right(found < wanted ? -1 : Number(found > wanted));
}
