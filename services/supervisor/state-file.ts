import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { writeAtomically } from '#local/state.ts';

/**
 * `starting`: runs, and is not ready (yet, or at the moment). `restarting`: has ended and will be started again.
 * `given_up`: ended too often.
 */
export type ServiceState = z.infer<typeof serviceState>;
export type ServiceRecord = z.infer<typeof serviceRecord>;
export type SupervisorRecord = z.infer<typeof supervisorRecord>;

const serviceState = z.enum(['starting', 'ready', 'restarting', 'given_up', 'stopped']);

const serviceRecord = z.object({
  name: z.string(),
  pid: z.number().int().positive().nullable(),
  /** Which process of that number: numbers are used again. */
  identity: z.string().nullable(),
  state: serviceState,
  restarts: z.number().int(),
  health_port: z.number().int(),
  /** When it came into this state; epoch ms. */
  since: z.number(),
  /** How it ended last: `exit code 1`, `SIGKILL`; empty when it never has. */
  last_end: z.string(),
});

const supervisorRecord = z.object({
  version: z.literal(1),
  pid: z.number().int().positive(),
  identity: z.string(),
  started_at: z.number(),
  /** A hash of what it was started for: another namespace, address or number of services needs a new start. */
  settings: z.string(),
  services: z.array(serviceRecord),
});

const file = (dir: string) => join(dir, 'supervisor.json');

/** Null when there is none. Throws `invalid_configuration` when it is not what this version writes. */
export async function readSupervisorFile(dir: string): Promise<SupervisorRecord | null> {
  const text = await readFile(file(dir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return supervisorRecord.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${file(dir)} cannot be read; stop the services by hand and remove it`;
    throw new Failure('invalid_configuration', message, { cause });
  }
}

/** Writes what `read` gives, one write at a time; what changes meanwhile goes together into the next. */
export function stateWriter(dir: string, read: () => SupervisorRecord) {
  let writing: Promise<void> | null = null;
  let again = false;
  const write = async (): Promise<void> => {
    do {
      again = false;
      await writeAtomically(file(dir), `${JSON.stringify(read(), null, 2)}\n`);
    } while (again);
    writing = null;
  };
  return {
    /** Resolves when what is known now is in the file. */
    save(): Promise<void> {
      if (writing === null) writing = write();
      else again = true;
      return writing;
    },
  };
}
