/** A timeline as lines for people: a table, or a tree of what led to what. */
import type { FactEvent } from '#orchestrator/facts.ts';
import { compileGlob } from '#worker/linear-regex.ts';
import { factDetail, factTint } from './fact-line.ts';
import { oneLine } from './format.ts';
import type { Colors } from './output.ts';
import { type Cell, cut, table } from './table.ts';
import type { Moment, Timeline, TimelineMission } from './timeline.ts';

/** Which moments are shown; the others still count where they lead from one to another. */
export interface Shown {
  /** Epoch ms; null: from the beginning. */
  readonly since: number | null;
  /** Event types, or names of emitted events; `*` stands for any text; empty: all. */
  readonly types: readonly string[];
}

export function shownMoments({ moments }: Timeline, { since, types }: Shown): readonly Moment[] {
  const globs = types.map((type) => compileGlob(type));
  return moments.filter(({ fact }) => {
    if (since !== null && fact.timestamp < since) return false;
    const name = fact.event_type === 'event_emitted' ? fact.payload.name : fact.event_type;
    return globs.length === 0 || globs.some((is) => is(fact.event_type) || is(name));
  });
}

/** What stands for a mission where there are several: m1, m2 … in the order of their first moments. */
export function missionMarks({ missions }: Timeline): (mission: string) => string {
  const numbers = new Map(missions.map(({ id }, at) => [id, `m${at + 1}`]));
  return (mission) => (missions.length < 2 ? '' : (numbers.get(mission) ?? mission));
}

/** `#12`, or `m2#12` where there are several missions. */
export const factMark = (marks: (mission: string) => string, fact: FactEvent): string =>
  `${marks(fact.correlation_id)}#${fact.sequence}`;

/** One line for each mission: what it is, how it stands, and what began it. */
export function missionLines(timeline: Timeline, colors: Colors): string[] {
  const marks = missionMarks(timeline);
  return timeline.missions.map((mission) => {
    const { id, name, status } = mission;
    const mark = marks(id);
    const began = begunBy(mission, timeline, marks);
    const parts = [mark, colors.bold(oneLine(name, 60) || id), id, colored(status, colors), began];
    return parts.filter((part) => part !== '').join('  ');
  });
}

function begunBy(
  { begun_by }: TimelineMission,
  { moments }: Timeline,
  marks: (mission: string) => string,
): string {
  if (begun_by === null) return '';
  const fact = moments.find((moment) => moment.fact.event_id === begun_by.event_id)?.fact;
  const what = begun_by.as === 'task' ? 'a task of' : 'a reaction to';
  if (fact === undefined) return `${what} ${begun_by.event_id || begun_by.mission}`;
  return `${what} ${factMark(marks, fact)} ${oneLine(factDetail(fact), 60)}`;
}

function colored(status: string, colors: Colors): string {
  if (status === 'completed') return colors.green(status);
  return status === 'running' ? colors.cyan(status) : colors.red(status);
}

const longestDetail = 60;

/** A line for each moment: when, who told whom what, and what led to it. */
export function timelineTable(timeline: Timeline, moments: readonly Moment[], columns?: number): string[] {
  const marks = missionMarks(timeline);
  const times = moments.map(({ after }) => offset(after));
  const longest = Math.max(4, ...times.map(({ length }) => length));
  const rows = moments.map(({ fact, cause, by }, at): Cell[] => [
    (times[at] ?? '').padStart(longest),
    factMark(marks, fact),
    `${oneLine(fact.source_agent, 40)} → ${oneLine(fact.target_agent, 40)}`,
    fact.event_type,
    cut(factDetail(fact), longestDetail),
    causeText(cause, by, marks),
  ]);
  return table(['time', 'fact', 'who → whom', 'event', 'what', 'caused by'], rows, columns);
}

function causeText(cause: Moment['cause'], by: FactEvent | null, marks: (mission: string) => string): string {
  switch (cause.kind) {
    case 'fact': {
      const how = { reacts: 'reacts to ', answers: 'answers ', timer: 'the time of ' };
      const text = cause.link in how ? how[cause.link as keyof typeof how] : '';
      return text + (by === null ? cause.event_id : `${factMark(marks, by)} ${by.event_type}`);
    }
    case 'person':
      return 'a person';
    case 'report':
      return 'a report';
    case 'time':
      return 'a time that came';
    default:
      return cause satisfies never;
  }
}

/** `+0.012`: seconds; from an hour on `+1:02:03.456`. */
export function offset(ms: number): string {
  const sign = ms < 0 ? '-' : '+';
  const all = Math.abs(ms);
  const thousandths = String(all % 1000).padStart(3, '0');
  const seconds = Math.floor(all / 1000);
  if (seconds < 3600) return `${sign}${seconds}.${thousandths}`;
  const two = (number: number) => String(number).padStart(2, '0');
  const clock = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${sign}${clock}.${thousandths}`;
}

/**
 * The moments as a tree: below each what it led to. What is the only thing that something led to stands right below it,
 * not further in, so that a long chain is no wide one. What leads from one to another and is not shown is passed over.
 */
export function timelineTree(
  timeline: Timeline,
  moments: readonly Moment[],
  colors: Colors,
  columns?: number,
): string[] {
  const marks = missionMarks(timeline);
  const { roots, children } = nested(timeline, moments);
  const lines: string[] = [];
  const waiting = roots.toReversed().map((moment) => ({ moment, lead: '', rest: '' }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { moment, lead, rest } = next;
    lines.push(cut(`${colors.dim(lead)}${treeLine(moment, marks, colors)}`, columns));
    const below = children.get(moment.fact.event_id) ?? [];
    const [only] = below;
    if (below.length === 1 && only !== undefined) {
      waiting.push({ moment: only, lead: `${rest}│ `, rest });
      continue;
    }
    for (const [at, child] of below.toReversed().entries()) {
      waiting.push({
        moment: child,
        lead: `${rest}${at === 0 ? '└─ ' : '├─ '}`,
        rest: `${rest}${at === 0 ? '   ' : '│  '}`,
      });
    }
  }
  return lines;
}

function treeLine({ fact, after }: Moment, marks: (mission: string) => string, colors: Colors): string {
  const agents = `${oneLine(fact.source_agent, 40)} → ${oneLine(fact.target_agent, 40)}`;
  const what = `${factTint(fact, colors)(fact.event_type)} ${factDetail(fact)}`;
  return `${colors.dim(factMark(marks, fact))} ${what}  ${colors.dim(`${agents}  ${offset(after)}`)}`;
}

/** Each of the shown moments below the nearest shown one that led to it. */
export function nested(timeline: Timeline, moments: readonly Moment[]) {
  const shown = new Set(moments.map(({ fact }) => fact.event_id));
  const all = new Map(timeline.moments.map((moment) => [moment.fact.event_id, moment]));
  // What is known of one that is not shown is known for all that come from it.
  const nearest = new Map<string, string | null>();
  const shownAbove = (moment: Moment): string | null => {
    const passed: string[] = [];
    let found: string | null = null;
    for (let by = moment.by; by !== null; by = all.get(by.event_id)?.by ?? null) {
      const { event_id } = by;
      const known = shown.has(event_id) ? event_id : nearest.get(event_id);
      if (known !== undefined) {
        found = known;
        break;
      }
      passed.push(event_id);
    }
    for (const each of passed) nearest.set(each, found);
    return found;
  };
  const roots: Moment[] = [];
  const children = new Map<string, Moment[]>();
  const parents = new Map<string, string>();
  for (const moment of moments) {
    const parent = shownAbove(moment);
    if (parent === null) {
      roots.push(moment);
      continue;
    }
    parents.set(moment.fact.event_id, parent);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [moment]);
    else siblings.push(moment);
  }
  return { roots, children, parents };
}
