import { Failure } from '#chassis/failures.ts';
import type { MissionFields } from '#missions/load.ts';
import { orchestrator } from '#orchestrator/facts.ts';
import type { Script } from '#schemas/types.gen.ts';

/**
 * The mission with one step that fails for good, before it has done anything: a drill of what a failure there leads to.
 * Throws Failure `invalid_arguments` for a step that the mission has not, naming those that it has.
 */
export function failingAt(mission: MissionFields, step: string): MissionFields {
  const steps = mission.tasks.filter(({ role }) => role !== orchestrator).map(({ id }) => id);
  if (!steps.includes(step)) {
    const known = steps.length === 0 ? 'a mission that names its tasks' : `one of ${steps.join(', ')}`;
    throw new Failure('invalid_arguments', `--fail-at: found ${JSON.stringify(step)}, expected ${known}`);
  }
  const tasks = mission.tasks.map((task) =>
    task.id === step ? { ...task, max_attempts: 1, script: failing(step) } : task,
  );
  return { ...mission, tasks };
}

/** Where the role may run no commands, that is what fails. */
function failing(step: string): Script {
  const command = `echo 'a drill: ${step} was told to fail' >&2; exit 1`;
  const call = {
    tool: 'execute_terminal_command',
    arguments: JSON.stringify({ command, idempotent: true }),
    allow_failure: false,
  };
  return { calls: [call], answer: '' };
}
