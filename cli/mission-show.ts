import type { FactEvent } from '#orchestrator/facts.ts';
import { factLine } from './fact-line.ts';
import { duration, oneLine } from './format.ts';
import { liveArea } from './live-area.ts';
import type { MissionFold } from './mission-fold.ts';
import { missionLines } from './mission-view.ts';
import type { Output } from './output.ts';

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
    return { fact: (fact) => output.line(factLine(fact, output.colors)), end: () => undefined };
  }
  const { screen, colors } = output;
  const area = liveArea(screen);
  const draw = (): void => {
    if (fold.state === null) return;
    const size = { columns: screen.columns ?? 80, rows: screen.rows ?? 24 };
    area.draw(missionLines(fold.state, Date.now(), colors, size));
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

/** How a mission ended, in a few lines: timing, what failed and why, and what to try next. */
export function summaryLines({ state, retries }: MissionFold, colors: Output['colors']): string[] {
  if (state === null) return [];
  const { mission_id: id, plan, tasks } = state;
  const took = duration(state.ended_at - state.created_at);
  const completed = tasks.filter(({ status }) => status === 'completed').length;
  const retried = retries > 0 ? `, ${retries} failed attempt${retries === 1 ? '' : 's'} tried again` : '';
  const lines = [
    `${ending(state.status, colors)} in ${took}: ${completed} of ${tasks.length} tasks completed${retried}`,
  ];
  tasks.forEach((task, position) => {
    if (task.status !== 'failed') return;
    const spec = plan?.tasks[position];
    const where = `${spec?.id ?? position} (${spec?.role ?? 'no role'}, attempt ${task.attempt})`;
    lines.push(`  ${colors.red('✖')} ${where}  ${task.code}: ${oneLine(task.message, 400)}`);
  });
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
        ];
  const widest = Math.max(...tries.map(([, command]) => command?.length ?? 0));
  for (const [what, command = ''] of tries)
    lines.push(`  ${command.padEnd(widest)}  ${colors.dim(what ?? '')}`);
  return lines;
}

function ending(status: string, colors: Output['colors']): string {
  const text = `Mission ${status}`;
  return status === 'completed'
    ? colors.green(text)
    : status === 'cancelled'
      ? colors.yellow(text)
      : colors.red(text);
}
