import { Failure } from '#chassis/failures.ts';
import type { TaskStatus } from '#orchestrator/state.ts';
import type { Attempt, ChildMission, Mission, MissionDetail, Task } from '#projector/queries.ts';
import type { ExitCode } from '../exit-code.ts';
import { dateTime, duration, oneLine } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { checkedMissionId } from '../mission-command.ts';
import { taskGlyph } from '../mission-view.ts';
import type { Colors } from '../output.ts';
import { askProjection } from '../projection.ts';
import { budgetLine } from '../spent-lines.ts';
import { type Cell, table } from '../table.ts';
import { plainText } from '../terminal-text.ts';
import { reviewLines } from './reviews.ts';

export interface MissionsOptions {
  readonly status?: string;
  readonly limit: number;
}

export async function missions(io: Invocation, { status, limit }: MissionsOptions): Promise<ExitCode> {
  const { output } = io;
  const filter = { limit, ...(status === undefined ? {} : { status }) };
  const found = await askProjection(io, (queries) => queries.listMissions(filter));
  if (output.json) output.document(found, true);
  else if (found.length === 0)
    output.line('No missions. `ravenhelm run missions/deploy-platform.yaml` runs one.');
  else {
    const headings = ['mission', 'name', 'status', 'tasks', 'failed', 'created', 'took'];
    for (const line of table(headings, found.map(missionCells), output.screen.columns)) output.line(line);
  }
  return 0;
}

function missionCells(mission: Mission): Cell[] {
  const { mission_id, name, brief, status, completed, tasks, failed, created_at, ended_at } = mission;
  const title = oneLine(name || brief, 40);
  const created = created_at?.getTime() ?? null;
  return [
    mission_id,
    title,
    status,
    `${completed}/${tasks}`,
    failed,
    dateTime(created),
    took(created_at, ended_at),
  ];
}

export async function mission(io: Invocation, given: string): Promise<ExitCode> {
  const { output } = io;
  const id = checkedMissionId(given);
  const { detail, waiting } = await askProjection(io, async (queries) => {
    const [found, reviews] = await Promise.all([
      queries.missionDetail(id),
      queries.listReviews({ mission: id }),
    ]);
    return { detail: found, waiting: reviews };
  });
  if (detail === null) {
    throw new Failure(
      'not_found',
      `no mission ${id} (yet); \`ravenhelm events ${id}\` asks the ledger itself`,
    );
  }
  if (output.json) {
    output.document({ ...detail, reviews: waiting }, true);
    return 0;
  }
  for (const line of detailLines(detail, output.colors, output.screen.columns)) output.line(line);
  for (const review of waiting) {
    for (const line of ['', ...reviewLines(review, Date.now(), output.colors)]) output.line(line);
  }
  return 0;
}

function detailLines(
  { mission, tasks, attempts, children, budget }: MissionDetail,
  colors: Colors,
  columns?: number,
): string[] {
  const { mission_id, name, brief, status, created_at, ended_at, completed, code, message, result } = mission;
  const lines = [
    `${colors.bold(oneLine(name || brief, 80))}  ${status}  ${completed}/${mission.tasks} tasks  ${took(created_at, ended_at)}`,
    colors.dim(
      `${mission_id}  created ${dateTime(created_at?.getTime() ?? null)}  ${mission.sequence} facts`,
    ),
  ];
  const { parent_mission_id, parent_task_id } = mission;
  if (parent_mission_id !== null) {
    lines.push(`is task ${parent_task_id} of mission ${parent_mission_id}`);
  }
  if (budget !== null) lines.push(`${budgetLine(budget)}, at the limit: ${budget.at_limit}`);
  if (name !== '' && brief !== '') lines.push(oneLine(brief, 400));
  if (code !== null && code !== '') lines.push(colors.red(plainText(`${code}: ${message ?? ''}`)));
  lines.push(...undoingLines(tasks, status, colors));
  const rows = tasks.map((task) => taskCells(task, colors));
  lines.push('', ...table(['wave', 'task', 'role', 'status', 'attempt', 'took', 'message'], rows, columns));
  const tried = attempts.filter(
    ({ status, attempt, lease }) => status === 'failed' || attempt > 1 || lease > 1,
  );
  if (tried.length > 0) lines.push('', ...attemptLines(tried, columns));
  if (children.length > 0) lines.push('', ...childLines(children, columns));
  if (result !== null && result !== '') lines.push('', plainText(result).trimEnd());
  return lines;
}

/** What a mission that came to nothing has undone, and what it has not. */
function undoingLines(tasks: readonly Task[], status: string, colors: Colors): string[] {
  const undoing = tasks.filter(({ compensates }) => compensates !== '');
  if (undoing.length === 0) return [];
  const named = (done: boolean) =>
    undoing.filter((task) => (task.status === 'completed') === done).map(({ compensates }) => compensates);
  const [undone, left] = [named(true), named(false)];
  const goesOn = status === 'compensating';
  return [
    ...(undone.length > 0 ? [`${colors.green('↩')} undone: ${oneLine(undone.join(', '), 400)}`] : []),
    ...(left.length > 0
      ? [`${colors.yellow('!')} ${goesOn ? 'to be undone' : 'not undone'}: ${oneLine(left.join(', '), 400)}`]
      : []),
  ];
}

/** Missions that are tasks of this one. */
function childLines(children: readonly ChildMission[], columns?: number): string[] {
  const rows = children.map(({ parent_task_id, mission_id, name, status, tasks, completed }): Cell[] => [
    parent_task_id,
    mission_id,
    oneLine(name, 40),
    status,
    `${completed}/${tasks}`,
  ]);
  return table(['task', 'is mission', 'name', 'status', 'tasks'], rows, columns);
}

function attemptLines(attempts: readonly Attempt[], columns?: number): string[] {
  const rows = attempts.map(
    ({ task_id, attempt, lease, status, agent, started_at, ended_at, code, message }) => [
      task_id,
      attempt,
      lease,
      status,
      agent,
      took(started_at, ended_at),
      reason(code, message),
    ],
  );
  return table(['task', 'attempt', 'lease', 'status', 'agent', 'took', 'message'], rows, columns);
}

export interface TasksOptions {
  readonly mission?: string;
  readonly role?: string;
  readonly status?: string;
}

export async function tasks(io: Invocation, { mission, role, status }: TasksOptions): Promise<ExitCode> {
  const { output } = io;
  const filter = {
    ...(mission === undefined ? {} : { mission: checkedMissionId(mission) }),
    ...(role === undefined ? {} : { role }),
    ...(status === undefined ? {} : { status }),
  };
  const found = await askProjection(io, (queries) => queries.listTasks(filter));
  if (output.json) output.document(found, true);
  else if (found.length === 0) output.line('No tasks.');
  else {
    const headings = ['mission', 'wave', 'task', 'role', 'status', 'attempt', 'took', 'message'];
    const rows = found.map((task): Cell[] => [task.mission_id, ...taskCells(task, output.colors)]);
    for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  }
  return 0;
}

function taskCells(task: Task, colors: Colors): Cell[] {
  const { task_id, role, status, attempt, started_at, ended_at, code, message, compensates } = task;
  const wave = compensates === '' ? task.wave : 'undo';
  const shown = `${taskGlyph(status as TaskStatus, colors)} ${status}`;
  return [wave, task_id, role, shown, attempt, took(started_at, ended_at), reason(code, message)];
}

function took(from: Date | null, to: Date | null): string {
  return from === null || to === null ? '' : duration(to.getTime() - from.getTime());
}

function reason(code: string | null, message: string | null): string {
  if (code === null || code === '') return oneLine(message ?? '', 100);
  return `${code}: ${oneLine(message ?? '', 100)}`;
}
