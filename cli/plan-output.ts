import { existsSync, writeFileSync } from 'node:fs';
import { Failure } from '#chassis/failures.ts';
import type { MissionFields } from '#missions/load.ts';
import { planToMissionFile } from '#missions/print.ts';
import type { MissionState } from '#orchestrator/state.ts';
import { noOptions } from '#schemas/mission-command.ts';
import { planner } from './fact-line.ts';
import { oneLine } from './format.ts';
import type { Invocation } from './invocation.ts';
import type { MissionFold } from './mission-fold.ts';
import { planMermaid, planTable } from './plan-view.ts';

/** What becomes of a plan that is only made. */
export interface PlanOutput {
  readonly save?: string;
  readonly force?: boolean;
  readonly mermaid?: boolean;
}

/** Throws Failure `invalid_arguments` before anything is asked for: a plan may have cost money. */
export function checkPlanOutput(
  json: boolean,
  planOnly: boolean,
  { save, force, mermaid }: PlanOutput,
): void {
  const wrong = (option: string, found: string, expected: string) =>
    new Failure('invalid_arguments', `${option}: found ${found}, expected ${expected}`);
  const given = [save === undefined ? '' : '--save', force ? '--force' : '', mermaid ? '--mermaid' : ''];
  const first = given.find((option) => option !== '');
  if (first !== undefined && !planOnly) throw wrong(first, 'a mission that is to run', '--plan-only with it');
  if (force && save === undefined) throw wrong('--force', 'nothing to overwrite', '--save FILE with it');
  if (mermaid && json) throw wrong('--mermaid', '--json', 'one of the two');
  if (save !== undefined && !force && existsSync(save)) throw exists(save);
}

const exists = (file: string): Failure =>
  new Failure('invalid_arguments', `--save: found the file ${file}, expected a new one, or --force with it`);

/** Prints the plan of a mission, and saves it where that was asked for; false when it got none. */
export function showPlan(
  { output }: Invocation,
  fold: MissionFold,
  to: PlanOutput,
  given: MissionFields,
): boolean {
  const { state, planned } = fold;
  const tasks = state?.plan?.tasks;
  if (state === null || tasks === undefined || planned === null) return false;
  const { made_by, notes, waves } = planned;
  if (output.json) {
    output.document({ mission_id: state.mission_id, name: state.name, made_by, notes, waves, tasks }, true);
  } else if (to.mermaid) {
    output.line(planMermaid(tasks).trimEnd());
  } else {
    for (const line of planTable(tasks, output.screen.columns)) output.line(line);
  }
  output.note(`\n${tasks.length} tasks in ${waves} waves${planner(made_by)}`);
  for (const note of notes) output.note(`  ${oneLine(note, 600)}`);
  if (to.save !== undefined) save(to.save, to.force === true, state);
  if (to.save !== undefined) {
    output.note(`Saved as ${to.save}: edit it, and \`ravenhelm run ${to.save}\` carries it out.`);
    const left = notSaved(given);
    if (left.length > 0)
      output.note(`  The file has the tasks. Not in it, so to be said again: ${left.join(', ')}.`);
  }
  return true;
}

/** Throws Failure `invalid_plan` or `invalid_arguments`. */
function save(file: string, force: boolean, { name, brief, plan, policy }: MissionState): void {
  const text = planToMissionFile(name, brief, plan?.tasks ?? [], policy.on_failure);
  try {
    // Also what came to be there meanwhile is not overwritten.
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_arguments', `--save: ${file} cannot be written: ${why}`, { cause });
  }
}

/** What a mission says beside its tasks, and the file of a plan does not. */
function notSaved({ limits, priority, options }: MissionFields): string[] {
  const { models, budget, per_task, max_replans, subscriptions, aggregators, events } = options ?? noOptions;
  const said: readonly (readonly [string, boolean])[] = [
    ['models', models.length > 0],
    ['budget', budget !== null || per_task !== null],
    ['max_replans', max_replans > 0],
    ['subscriptions and aggregators', subscriptions.length + aggregators.length > 0],
    ['emit', events.length > 0],
    ['priority', priority !== 'normal'],
    ['limits and deadline', Object.values(limits).some((limit) => limit > 0)],
  ];
  return said.flatMap(([what, is]) => (is ? [what] : []));
}
