import { bytesOf, type DraftTask, excerpt, roomOfPlan, takeId } from './draft-task.ts';

export interface Tiers {
  /** The role that brings the results of workers together: `drummer`. */
  readonly synthesizer: string;
  /** The role that brings the syntheses together: `camina`. */
  readonly executive: string;
  /** What the mission is for. */
  readonly brief?: string;
  /** Milliseconds of one attempt; default 5 minutes. */
  readonly synthesizer_timeout_ms?: number;
  readonly executive_timeout_ms?: number;
}

const defaultTimeoutMs = 5 * 60_000;
const perSynthesizer = 5;
const mostOutline = 160;

/** One for each five workers, from five on. */
export function synthesizersFor(workers: number): number {
  return Math.floor(workers / perSynthesizer);
}

/** One, when there are two synthesizers or more. */
export function executivesFor(workers: number): number {
  return synthesizersFor(workers) >= 2 ? 1 : 0;
}

/**
 * The tasks, and behind them the tiers above: synthesizers that need the workers (each worker feeds one, neighbours in
 * the plan the same, their numbers differ by one at most), and an executive that needs the synthesizers. They run when
 * all below have ended, failed or not. Tasks that have tiers already are given back as they are.
 *
 * As much of the brief and of the workers' tasks is told as a plan has room for; ids and what to do always are.
 */
export function withTiers(tasks: readonly DraftTask[], tiers: Tiers): DraftTask[] {
  const workers = tasks.filter(({ kind = '' }) => kind === '');
  const count = synthesizersFor(workers.length);
  if (workers.length < tasks.length || count === 0) return [...tasks];
  const taken = new Set(tasks.map(({ id }) => id));
  const groups = spread(workers, count);
  const ids = groups.map((_, at) => takeId(`synthesis-${at + 1}`, taken));
  const { synthesizer_timeout_ms = defaultTimeoutMs, executive_timeout_ms = defaultTimeoutMs } = tiers;
  const executive = count >= 2 ? takeId('executive', taken) : null;

  const above = (outline: number, brief: string): DraftTask[] => {
    const made = groups.map((group, at): DraftTask => {
      const share =
        count === 1 ? 'all tasks of this mission' : `${group.length} of its ${workers.length} tasks`;
      const says = `Bring together what came of ${share}:\n${group.map((task) => line(task, outline)).join('\n')}`;
      return tier(ids[at] ?? '', tiers.synthesizer, says, brief, group, synthesizer_timeout_ms);
    });
    if (executive === null) return made;
    const says =
      `Give the mission its answer, of ${count} syntheses over its ${workers.length} tasks:\n` +
      ids.map((id, at) => `- ${id}: ${namesOf(groups[at] ?? [])}`).join('\n');
    return [...made, tier(executive, tiers.executive, says, brief, made, executive_timeout_ms)];
  };

  const room = roomOfPlan - tasks.reduce((sum, task) => sum + bytesOf(task), 0);
  const left = (given: readonly DraftTask[]) => room - given.reduce((sum, task) => sum + bytesOf(task), 0);
  const outline = left(above(mostOutline, '')) >= 0 ? mostOutline : 0;
  const each = Math.floor(left(above(outline, '')) / (groups.length + 1)) - 100;
  const brief = (tiers.brief ?? '').trim();
  return [...tasks, ...above(outline, brief === '' || each < 100 ? '' : excerpt(brief, each))];
}

/** Neighbours stay together; the first groups are larger by one where it does not come out even. */
function spread<T>(items: readonly T[], count: number): T[][] {
  const least = Math.floor(items.length / count);
  const larger = items.length % count;
  return Array.from({ length: count }, (_, at) => {
    const from = at * least + Math.min(at, larger);
    return items.slice(from, from + least + (at < larger ? 1 : 0));
  });
}

function tier(
  id: string,
  role: string,
  says: string,
  brief: string,
  below: readonly DraftTask[],
  timeout_ms: number,
): DraftTask {
  const paragraphs = [
    says,
    ...(brief === '' ? [] : [`What the mission is for:\n${brief}`]),
    'You begin when all of them have ended. Failed and missing ones are named to you with the reason: say in your ' +
      'answer what is missing, of whom, and what that means for the mission. Never fill a gap with a guess.',
  ];
  const needs = below.map((task) => task.id);
  return {
    id,
    role,
    description: paragraphs.join('\n\n'),
    needs,
    partial: true,
    kind: 'synthesis',
    timeout_ms,
  };
}

function line({ id, role, description }: DraftTask, most: number): string {
  if (most === 0) return `- ${id}`;
  const [first = ''] = description.trim().split(/[\r\n]/u, 1);
  const letters = Array.from(first);
  const outline = letters.length > most ? `${letters.slice(0, most).join('')}…` : first;
  return `- ${id} (${role})${outline === '' ? '' : `: ${outline}`}`;
}

function namesOf(group: readonly DraftTask[]): string {
  const [first, last] = [group[0]?.id ?? '', group.at(-1)?.id ?? ''];
  return group.length === 1 ? first : `${first} to ${last}, ${group.length} tasks`;
}
