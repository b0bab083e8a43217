/** What this machine has of a sandbox, said once by each worker and by `ravenhelm doctor`. */
import type { Logger } from '#chassis/log.ts';
import { processCount } from './process-group.ts';
import { probeSandbox } from './sandbox.ts';

export interface SandboxFinding {
  /** Whether all of it holds. */
  readonly whole: boolean;
  readonly found: string;
}

export async function findSandbox(): Promise<SandboxFinding> {
  const sandbox = await probeSandbox();
  if (sandbox.kind === 'none') return { whole: false, found: `none: ${sandbox.why}` };
  const count = await processCount();
  const found = `bubblewrap ${sandbox.version}`;
  if (count.by === 'nothing') {
    return { whole: false, found: `${found}; the number of processes is not limited: ${count.why}` };
  }
  return { whole: true, found };
}

export async function warnOfMissingSandbox(log: Pick<Logger, 'warn'>): Promise<void> {
  const { whole, found } = await findSandbox();
  if (!whole) {
    log.warn(
      { sandbox: found },
      'the commands of tasks are not, or not wholly, in a sandbox: docs/security.md',
    );
  }
}
