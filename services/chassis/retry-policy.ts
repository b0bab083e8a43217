import { type RetryDelay, retryDelays, type TopicNames } from '#topics/table.ts';
import { type FailureCode, isFailureCode } from './failures.ts';

/** Kinds of topics that records are sent back to. */
export const topicKinds = ['missions', 'reports', 'tasks', 'requests'] as const;
export type TopicKind = (typeof topicKinds)[number];

/** What becomes of a record that its handler cannot take now. */
export interface Retrying {
  /** How often it is tried again before it is a dead letter; 0: it is one at once. */
  readonly retries: number;
  /** `key`: later records of its key in the same topic and partition wait behind it. `none`: they go past it. */
  readonly order: 'key' | 'none';
  /** The first delay; the ones after it follow in {@link retryDelays}, and the last stays. */
  readonly first: RetryDelay;
}

/** Says otherwise for some records. What it leaves out is as it would be without it. */
export interface RetryRule extends Partial<Retrying> {
  /** Left out: every code that is tried again by default. */
  readonly code?: FailureCode;
  readonly topic?: TopicKind;
  /** Of a topic of tasks. */
  readonly role?: string;
  /** `*` stands for any text. */
  readonly mission?: string;
}

export interface RetryPolicy {
  readonly rules: readonly RetryRule[];
  /** How often a dead letter is sent again before it is parked. */
  readonly redrives: number;
}

export const defaultRetryPolicy: RetryPolicy = { rules: [], redrives: 3 };

/**
 * Failures of a record that may pass without anybody touching the record, and how often it is worth looking again.
 * All others are as true in a minute as they are now.
 */
export const retriedByDefault: Partial<Readonly<Record<FailureCode, number>>> = {
  // A producer was deployed before its schema could be seen here; an id that is unknown is asked for every 30 s.
  schema_unknown: 7,
  // The topic of a role that is being added.
  role_unknown: 6,
  topic_missing: 6,
  // Bugs that a restart or a deployment may have mended, and what we did not think of.
  handler_failed: 3,
  internal_error: 3,
};

/** What is known of a record by where it came from. */
export interface RecordPlace {
  readonly kind: TopicKind | null;
  /** Empty when it is no topic of tasks. */
  readonly role: string;
  /** By its key; empty when it has none. */
  readonly mission: string;
}

export function placeOfRecord(names: TopicNames, topic: string, key: string | null): RecordPlace {
  const tasks = names.tasks('');
  const mission = key ?? '';
  if (topic === names.missions) return { kind: 'missions', role: '', mission };
  if (topic === names.reports) return { kind: 'reports', role: '', mission };
  if (topic === names.dlqRequests) return { kind: 'requests', role: '', mission: '' };
  if (!topic.startsWith(tasks)) return { kind: null, role: '', mission };
  return { kind: 'tasks', role: topic.slice(tasks.length), mission: mission.split('/', 1)[0] ?? '' };
}

/** The defaults, and over them what the rules say that fit: of those the one that names most, and of equals the last. */
export function retrying(policy: RetryPolicy, code: string, place: RecordPlace): Retrying {
  const byDefault = isFailureCode(code) ? (retriedByDefault[code] ?? 0) : 0;
  const fitting = policy.rules
    .filter((rule) => fits(rule, code, place, byDefault > 0))
    .toSorted((a, b) => named(a) - named(b));
  return fitting.reduce<Retrying>(
    (found, { retries = found.retries, order = found.order, first = found.first }) => ({
      retries,
      order,
      first,
    }),
    { retries: byDefault, order: orderOf(place), first: retryDelays[0] },
  );
}

/**
 * A cancellation must not overtake what it cancels, neither a mission nor an assignment. Reports do without: the
 * orchestrator knows what is stale, and heartbeats that waited behind a report would let leases expire.
 */
const orderOf = ({ kind }: RecordPlace): Retrying['order'] =>
  kind === 'missions' || kind === 'tasks' ? 'key' : 'none';

function fits(rule: RetryRule, code: string, place: RecordPlace, byDefault: boolean): boolean {
  if (rule.code === undefined ? !byDefault : rule.code !== code) return false;
  if (rule.topic !== undefined && rule.topic !== place.kind) return false;
  if (rule.role !== undefined && rule.role !== place.role) return false;
  return rule.mission === undefined || matches(rule.mission, place.mission);
}

const named = ({ code, topic, role, mission }: RetryRule): number =>
  [code, topic, role, mission].filter((each) => each !== undefined).length;

/** Every `*` stands for any text. In linear time, as the pattern is a person's and the text anybody's. */
export function matches(pattern: string, text: string): boolean {
  const [begins = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === pattern;
  const ends = rest.pop() ?? '';
  if (!text.startsWith(begins) || text.length < begins.length + ends.length || !text.endsWith(ends))
    return false;
  let at = begins.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - ends.length;
}

/** The delay before try number `attempt` + 1, after `attempt` (from 1) have failed. */
export function delayAfter(attempt: number, first: RetryDelay): RetryDelay {
  const index = Math.min(retryDelays.indexOf(first) + attempt - 1, retryDelays.length - 1);
  return retryDelays[index] ?? '30s';
}
