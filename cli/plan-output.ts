import { existsSync, writeFileSync } from 'node:fs';
import { Failure } from '#chassis/failures.ts';
import type { MissionFields } from '#missions/load.ts';
import { missionToFile } from '#missions/print.ts';
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
  if (to.save !== undefined) {
    save(to.save, to.force === true, missionOfPlan(given, state));
    output.note(`Saved as ${to.save}: edit it, and \`ravenhelm run ${to.save}\` carries it out.`);
  }
  return true;
}

/**
 * The mission that carries the plan out: all that was asked for, but with these tasks, and to be run. Tiers are in the
 * plan already; they are asked for again, as another plan may take its place.
 */
export function missionOfPlan(given: MissionFields, { plan, policy }: MissionState): MissionFields {
  const { hierarchy } = policy.options;
  return {
    ...given,
    // What reactions asked for meanwhile is no part of it.
    tasks: plan?.tasks.filter(({ caused_by }) => caused_by === '') ?? [],
    options: { ...(given.options ?? noOptions), hierarchy, plan_only: false },
  };
}

/** Throws Failure `invalid_plan` or `invalid_arguments`. */
function save(file: string, force: boolean, mission: MissionFields): void {
  const text = missionToFile(mission);
  try {
    // Also what came to be there meanwhile is not overwritten.
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_arguments', `--save: ${file} cannot be written: ${why}`, { cause });
  }
}
