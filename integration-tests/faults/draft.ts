import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionCommand, Script, TaskSpec } from '#schemas/types.gen.ts';
import type { OutsideStep } from './checker/outside.ts';
import type { Random } from './random.ts';

/** In the workspace of the mission: commands in a sandbox write nowhere else. */
export const outsideFile = 'outside.txt';

export interface Shaped {
  readonly command: Partial<MissionCommand> & { readonly correlation_id: string };
  readonly steps: readonly OutsideStep[];
  /** Tasks that have to be completed at the end, those that reactions ask for among them. */
  readonly must: readonly string[];
  /** How it has to end; null: with a failure or without. */
  readonly end: 'mission_completed' | 'mission_failed' | null;
}

export const limits = {
  max_in_flight: 0,
  task_timeout_ms: 120_000,
  // Short, so that a dead worker is soon replaced.
  lease_ms: 5000,
  deadline_ms: 0,
  max_attempts: 4,
};

export interface Call {
  /** Seconds. */
  readonly pause: number;
  readonly once?: boolean;
  /** Fails the first time that it runs in this mission. */
  readonly flaky?: boolean;
  readonly fails?: boolean;
}

/** One line in one write: the key that the worker gives the step, and the time in nanoseconds. */
function commandOf(task: string, number: number, { pause, flaky, fails }: Call): string {
  const mark = `echo "$RAVENHELM_IDEMPOTENCY_KEY $(date +%s%N)" >> ${outsideFile}`;
  const tried = `tried-${task}-${number}`;
  const first = flaky === true ? `test -e ${tried} || { touch ${tried}; exit 75; }; ` : '';
  return `${first}${mark} && sleep ${pause.toFixed(2)}${fails === true ? ' && exit 1' : ''}`;
}

/** A mission in the making: its tasks, and what each of their steps has to leave outside. */
export class Draft {
  readonly tasks: TaskSpec[] = [];
  readonly steps: OutsideStep[] = [];
  readonly must: string[] = [];

  /** A task of the plan. */
  add(
    spec: Pick<TaskSpec, 'id' | 'role'> & Partial<Omit<TaskSpec, 'id' | 'role'>>,
    calls: readonly Call[],
  ): void {
    this.tasks.push(taskSpec({ script: this.expect(spec.id, calls), ...spec }));
  }

  /** A task of the plan that can be undone by one call. */
  addUndone(
    spec: Pick<TaskSpec, 'id' | 'role'> & Partial<TaskSpec>,
    calls: readonly Call[],
    undo: Call,
  ): void {
    const script = this.expect(`undo-${spec.id}`, [undo]);
    this.add({ ...spec, compensation: { description: `Undo ${spec.id}.`, script } }, calls);
  }

  /** The script of a task that is in no plan yet, and that has to be completed at the end like all others. */
  expect(task: string, calls: readonly Call[]): Script {
    calls.forEach(({ once = false, fails = false }, i) => {
      // Steps of a script: model, tool, model, tool … so calls are the even ones.
      if (!fails) this.steps.push({ task, step: 2 * (i + 1), once });
    });
    this.must.push(task);
    return {
      calls: calls.map((call, i) => ({
        tool: 'execute_terminal_command',
        arguments: JSON.stringify({ command: commandOf(task, i, call), idempotent: call.once !== true }),
        allow_failure: false,
      })),
      answer: 'done',
    };
  }
}

export const quick = (random: Random): Call => ({ pause: 0.05 + random.next() * 0.3 });
