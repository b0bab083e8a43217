import type { FailureCode } from '#chassis/failures.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { notUndoneIds, ofThePlan, undoneIds, unfinishedIds } from '#orchestrator/undoing.ts';
import { factLine } from './fact-line.ts';
import { duration, oneLine } from './format.ts';
import { liveArea } from './live-area.ts';
import type { MissionFold } from './mission-fold.ts';
import { missionLines } from './mission-view.ts';
import type { Colors, Output } from './output.ts';
import { planTable } from './plan-view.ts';
import { waitingLines } from './review-text.ts';
import { spentLines } from './spent-lines.ts';

/** Shows a mission while it runs. */
export interface MissionShow {
  fact(fact: FactEvent): void;
  end(): void;
}

const redrawMs = 80;

/** Drawn over again on a terminal; a line per fact elsewhere, or a fact per line as JSON. */
export function showMission(output: Output, fold: MissionFold, plain: boolean): MissionShow {
  if (output.json) return { fact: (fact) => output.document(fact), end: () => undefined };
  if (plain || !output.live) {
    return {
      fact(fact) {
        output.line(factLine(fact, output.colors));
        for (const line of linesBelow(fact, output.colors)) output.line(`  ${line}`);
        if (fact.event_type !== 'review_requested' || fact.payload.kind !== 'plan') return;
        for (const line of planTable(fold.state?.plan?.tasks ?? [], output.screen.columns)) output.line(line);
      },
      end: () => undefined,
    };
  }
  const { screen, colors } = output;
  const area = liveArea(screen);
  const draw = (): void => {
    if (fold.state === null) return;
    const size = { columns: screen.columns ?? 80, rows: screen.rows ?? 24 };
    const absent = fold.absent.map((role) => `! nobody runs ${oneLine(role)}; ${startRole(role)}`);
    area.draw(
      missionLines(fold.state, Date.now(), colors, size, [...absent, ...(fold.planned?.notes ?? [])]),
    );
  };
  const timer = setInterval(draw, redrawMs);
  return {
    fact: () => undefined,
    end() {
      clearInterval(timer);
      draw();
      area.end();
    },
  };
}

/** What a fact says to people besides its own line: notes of the planner, and what waits for somebody. */
export function linesBelow(fact: FactEvent, colors: Colors): string[] {
  switch (fact.event_type) {
    case 'plan_created':
      return fact.payload.notes.map((note) => colors.dim(`note: ${oneLine(note, 600)}`));
    case 'review_requested':
      return waitingLines(fact.payload, colors);
    case 'role_unavailable':
      return [colors.dim(startRole(fact.payload.role))];
    default:
      return [];
  }
}

/** What to do about a role that nobody runs. */
const startRole = (role: string): string =>
  `it goes on once a worker runs ${oneLine(role)}: \`ravenhelm agents\` tells who is there, \`ravenhelm up\` starts them`;

/** How a mission ended, in a few lines: timing, what failed and why, what it used up, and what to try next. */
export function summaryLines(fold: MissionFold, colors: Colors): string[] {
  const { state, retries, missing, planned } = fold;
  if (state === null) return [];
  const { mission_id: id, plan, tasks } = state;
  const took = duration(state.ended_at - state.created_at);
  const ofPlan = ofThePlan(state);
  const completed = ofPlan.filter(({ status }) => status === 'completed').length;
  const retried = retries > 0 ? `, ${retries} failed attempt${retries === 1 ? '' : 's'} tried again` : '';
  const lines = [
    `${ending(state.status, colors)} in ${took}: ${completed} of ${ofPlan.length} tasks completed${retried}`,
  ];
  tasks.forEach((task, position) => {
    if (task.status !== 'failed') return;
    const spec = plan?.tasks[position];
    const where = `${spec?.id ?? position} (${spec?.role ?? 'no role'}, attempt ${task.attempt})`;
    lines.push(`  ${colors.red('✖')} ${where}  ${task.code}: ${oneLine(task.message, 400)}`);
  });
  if (missing.length > 0) {
    const many = missing.length === 1 ? 'task is' : 'tasks are';
    lines.push(
      `  ${colors.yellow('!')} ${missing.length} ${many} missing from the result: ${oneLine(missing.join(', '), 400)}`,
    );
  }
  lines.push(...sagaLines(state, colors));
  for (const note of planned?.notes ?? [])
    lines.push(`  ${colors.dim(`note of the plan: ${oneLine(note, 600)}`)}`);
  lines.push(...spentLines(state).map((line) => `  ${line}`));
  lines.push('', 'Next:');
  const tries =
    state.status === 'completed'
      ? [
          ['every fact of it', `ravenhelm events ${id}`],
          ['check its ledger and journals', `ravenhelm verify ${id}`],
        ]
      : [
          ['what happened, fact by fact', `ravenhelm events ${id}`],
          ['its tasks with their messages', `ravenhelm mission ${id}`],
          ['the logs of the services', 'ravenhelm logs worker'],
          ...(tasks.some(({ code }) => withoutModel.has(code))
            ? [['which models there are', 'ravenhelm doctor']]
            : []),
        ];
  const widest = Math.max(...tries.map(([, command]) => command?.length ?? 0));
  for (const [what, command = ''] of tries)
    lines.push(`  ${command.padEnd(widest)}  ${colors.dim(what ?? '')}`);
  return lines;
}

/** What was undone and what was not, and what was never done. */
function sagaLines(state: MissionState, colors: Colors): string[] {
  const line = (mark: string, what: string, ids: readonly string[]) =>
    ids.length === 0 ? [] : [`  ${mark} ${what}: ${oneLine(ids.join(', '), 400)}`];
  const failed = state.tasks.some(({ status }) => status === 'failed');
  const notDone = state.tasks.flatMap(({ status }, at) =>
    status === 'cancelled' ? [state.plan?.tasks[at]?.id ?? ''] : [],
  );
  const without = failed && state.policy.on_failure === 'continue' ? notDone : [];
  const undoing = state.undoing === '' ? null : state;
  return [
    ...line(colors.yellow('!'), 'not done, as they need what failed', without),
    ...line(colors.green('↩'), 'undone', undoing === null ? [] : undoneIds(undoing)),
    ...line(colors.red('!'), 'not undone', undoing === null ? [] : notUndoneIds(undoing)),
    ...line(
      colors.yellow('!'),
      'not undone, as they did not complete',
      undoing === null ? [] : unfinishedIds(undoing),
    ),
  ];
}

/** What a task fails with where no model can be had. */
const withoutModel: ReadonlySet<string> = new Set<FailureCode>([
  ...(['model_not_configured', 'model_failed', 'model_unknown', 'key_missing', 'key_refused'] as const),
]);

function ending(status: string, colors: Colors): string {
  const text = `Mission ${status}`;
  return status === 'completed'
    ? colors.green(text)
    : status === 'cancelled'
      ? colors.yellow(text)
      : colors.red(text);
}
