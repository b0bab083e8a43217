import { down as stackDown } from '#local/stack.ts';
import { stopSupervisor } from '#supervisor/control.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { placeOf } from '../place.ts';
import { showSteps } from '../steps.ts';

export interface DownOptions {
  readonly volumes?: boolean;
}

/** Stops the services first, as they drain into the stack, and then the stack. */
export async function down({ output, signal, env }: Invocation, options: DownOptions): Promise<ExitCode> {
  const { home } = placeOf(env);
  const volumes = options.volumes === true;
  const show = showSteps(output);
  try {
    show.report({ step: 'services', state: 'start' });
    const stopped = await stopSupervisor(home, signal);
    show.report({ step: 'services', state: 'done', note: stopped ? 'stopped' : 'none were running' });
    show.report({ step: 'stack', state: 'start' });
    await stackDown({ dir: home, volumes, signal, env });
    show.report({
      step: 'stack',
      state: 'done',
      note: volumes ? 'stopped, data deleted' : 'stopped, data kept',
    });
  } finally {
    show.end();
  }
  if (output.json) output.document({ stopped: true, volumes });
  return 0;
}
