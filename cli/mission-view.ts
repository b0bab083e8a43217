import { childId } from '#orchestrator/children.ts';
import {
  isPlanning,
  type MissionState,
  type Status,
  type TaskState,
  type TaskStatus,
} from '#orchestrator/state.ts';
import { ofThePlan, shownStatus } from '#orchestrator/undoing.ts';
import type { TaskSpec } from '#schemas/types.gen.ts';
import { duration, oneLine } from './format.ts';
import type { Colors } from './output.ts';
import { cut } from './table.ts';

export interface ViewSize {
  readonly columns: number;
  readonly rows: number;
}

/** Braille dots that go round. */
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * A mission as lines: its head, then its waves with their tasks. Where the terminal is too low for all, waves that
 * ended well or have not begun are one line each, and then only what is going on is shown. What waits for a person comes
 * before all else; `notes` are what the planner says.
 */
export function missionLines(
  state: MissionState,
  now: number,
  colors: Colors,
  size: ViewSize,
  notes: readonly string[] = [],
): string[] {
  const turn = spinner[Math.floor(now / 100) % spinner.length] ?? '';
  const head = headLine(state, now, colors, turn);
  const waves = wavesOf(state);
  const full = waves.flatMap((wave) => [
    waveLine(wave, colors),
    ...wave.tasks.map((task) => taskLine(task, now, colors, turn)),
  ]);
  const above = [
    ...noteLines(state, notes, colors),
    ...reviewLines(state, colors),
    ...joinLines(state, now, colors),
  ];
  const room = size.rows - 2 - above.length;
  const lines = full.length <= room ? full : shortened(waves, now, colors, turn, room);
  return [head, ...above, ...lines]
    .slice(0, Math.max(1, size.rows - 1))
    .map((line) => cut(line, size.columns));
}

/** While nothing has ended: afterwards they are in the summary. */
function noteLines(state: MissionState, notes: readonly string[], colors: Colors): string[] {
  if (state.ended_at > 0) return [];
  return notes.slice(0, 2).map((note) => colors.dim(`  ${oneLine(note, 300)}`));
}

const mostJoins = 4;

/** What is waited for, while the mission goes on. */
function joinLines({ joins, ended_at }: MissionState, now: number, colors: Colors): string[] {
  if (ended_at > 0) return [];
  return joins.slice(0, mostJoins).map(({ aggregation, due_at }) => {
    const left = due_at > 0 ? `, at most ${duration(Math.max(0, due_at - now))}` : '';
    return colors.dim(`  … ${oneLine(aggregation, 60)} waits for its events${left}`);
  });
}

const mostReviews = 3;

function reviewLines({ reviews }: MissionState, colors: Colors): string[] {
  const shown = reviews.slice(0, mostReviews).map(({ review_id, kind, task_id }) => {
    const what = task_id === '' ? kind : `${kind} of ${task_id}`;
    return `  ${colors.yellow('?')} ${what}: npx ravenhelm approve ${review_id}`;
  });
  const more = reviews.length - shown.length;
  return more > 0 ? [...shown, colors.yellow(`  ? ${more} more: npx ravenhelm reviews`)] : shown;
}

interface ShownTask {
  readonly id: string;
  readonly role: string;
  /** Its own, if it has one. */
  readonly priority: string;
  readonly task: TaskState;
  /** The mission that the task is; empty: it is none, or has not begun. */
  readonly child: string;
}

interface Wave {
  readonly name: string;
  readonly tasks: readonly ShownTask[];
  readonly ended: number;
  readonly bad: number;
  /** Somebody works on it, or something in it went wrong. */
  readonly active: boolean;
}

function wavesOf({ mission_id, plan, tasks }: MissionState): Wave[] {
  if (plan === null) return [];
  const waves = plan.waves.map((_, number) => (number === 0 ? '' : `wave ${number}`)).slice(1);
  const groups = new Map<string, number[]>(
    ['planning', ...waves, 'reactions', 'undoing'].map((name) => [name, []]),
  );
  plan.tasks.forEach((spec, position) => groups.get(groupOf(spec))?.push(position));
  return [...groups].flatMap(([name, positions]) => {
    const shown = positions.flatMap((position) => {
      const spec = plan.tasks[position];
      const task = tasks[position];
      if (spec === undefined || task === undefined) return [];
      const begun = spec.kind === 'mission' && task.attempt > 0;
      const child = begun ? childId(mission_id, spec.id, task.attempt) : '';
      const { id, role, priority } = spec;
      return [{ id, role, priority, task, child }];
    });
    if (shown.length === 0) return [];
    const is = (...statuses: TaskStatus[]) =>
      shown.filter(({ task }) => statuses.includes(task.status)).length;
    const bad = is('failed', 'cancelled');
    return [
      {
        name,
        tasks: shown,
        ended: is('completed', 'failed', 'cancelled'),
        bad,
        active: bad > 0 || is('running', 'assigned', 'waiting', 'parked') > 0,
      },
    ];
  });
}

/** What belongs to no wave is told apart by why it is there. */
function groupOf({ wave, compensates, caused_by }: TaskSpec): string {
  if (compensates !== '') return 'undoing';
  if (wave > 0) return `wave ${wave}`;
  return caused_by === '' ? 'planning' : 'reactions';
}

function shortened(
  waves: readonly Wave[],
  now: number,
  colors: Colors,
  turn: string,
  room: number,
): string[] {
  const urgent = waves.flatMap((wave) => [
    waveLine(wave, colors),
    ...(wave.active
      ? wave.tasks
          .filter(({ task }) => noteworthy.has(task.status))
          .map((task) => taskLine(task, now, colors, turn))
      : []),
  ]);
  if (urgent.length <= room) return urgent;
  const most = Math.max(1, room - 1);
  return [...urgent.slice(0, most), colors.dim(`  … ${urgent.length - most} more lines`)];
}

const noteworthy: ReadonlySet<TaskStatus> = new Set([
  ...(['running', 'assigned', 'waiting', 'parked', 'failed'] as const),
]);

function headLine(state: MissionState, now: number, colors: Colors, turn: string): string {
  const name = oneLine(state.name || state.brief, 60) || 'mission';
  const planned = ofThePlan(state);
  const done = planned.filter(({ status }) => status === 'completed').length;
  const took = duration((state.ended_at || now) - state.created_at);
  const glyph = missionGlyph(state.status, colors, turn);
  const tasks = planned.length > 0 ? `${done}/${planned.length} tasks  ` : '';
  const status = isPlanning(state) && state.replans > 0 ? 'planning anew' : shownStatus(state);
  const priority = state.priority === 'normal' ? '' : `${state.priority} priority  `;
  return `${glyph} ${colors.bold(name)}  ${status}  ${priority}${tasks}${took}  ${colors.dim(state.mission_id)}`;
}

function waveLine({ name, tasks, ended, bad }: Wave, colors: Colors): string {
  const count = `${ended}/${tasks.length}`;
  const done = ended === tasks.length;
  return `  ${colors.bold(name)}  ${bad > 0 ? colors.red(count) : done ? colors.green(count) : colors.dim(count)}`;
}

function taskLine(
  { id, role, priority, task, child }: ShownTask,
  now: number,
  colors: Colors,
  turn: string,
): string {
  const parts = [`    ${taskGlyph(task.status, colors, turn)} ${id}`, colors.dim(role)];
  if (priority !== '') parts.push(colors.dim(`${priority} priority`));
  if (task.started_at > 0) parts.push(duration(Math.max(0, (task.ended_at || now) - task.started_at)));
  if (task.attempt > 1) parts.push(colors.yellow(`attempt ${task.attempt}`));
  if (task.status === 'parked') parts.push(colors.yellow('waits for a person'));
  if (child !== '') parts.push(colors.dim(`mission ${child}`));
  if (task.status === 'waiting')
    parts.push(colors.yellow(`again in ${duration(Math.max(0, task.retry_at - now))}`));
  if (task.status === 'failed' || task.status === 'waiting')
    parts.push(colors.red(`${task.code}: ${oneLine(task.message, 120)}`));
  return parts.join('  ');
}

export function taskGlyph(status: TaskStatus, colors: Colors, turn = '●'): string {
  switch (status) {
    case 'pending':
      return colors.dim('·');
    case 'assigned':
      return colors.cyan('○');
    case 'running':
      return colors.cyan(turn);
    case 'parked':
      return colors.yellow('?');
    case 'waiting':
      return colors.yellow('↻');
    case 'completed':
      return colors.green('✔');
    case 'failed':
      return colors.red('✖');
    case 'cancelled':
      return colors.yellow('⊘');
    default:
      return status satisfies never;
  }
}

function missionGlyph(status: Status, colors: Colors, turn: string): string {
  switch (status) {
    case 'planning':
    case 'running':
      return colors.cyan(turn);
    case 'completed':
      return colors.green('✔');
    case 'cancelled':
      return colors.yellow('⊘');
    case 'failed':
    case 'rejected':
      return colors.red('✖');
    default:
      return status satisfies never;
  }
}
