import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { brokerCounts, severalNames } from './brokers.ts';

/** What `up` wrote down about a stack, in `<dir>/stack.json`. It outlives `down`, so that ports stay as they were. */
export type StackState = z.infer<typeof stackState>;
export type ComponentName = z.infer<typeof componentName>;
export type Ports = z.infer<typeof ports>;
export type ProcessRecord = z.infer<typeof processRecord>;

export type PortName = keyof Ports;

const componentName = z.enum(['kafka', ...severalNames, 'postgres', 'apicurio', 'registry']);
const port = z.number().int().min(1).max(65535);

const ports = z.object({
  kafka: port,
  controller: port,
  registry: port,
  apicurio: port,
  postgres: port,
  console: port,
  // Of the second and the third broker, where there are three.
  'kafka-2': port.exactOptional(),
  'controller-2': port.exactOptional(),
  'kafka-3': port.exactOptional(),
  'controller-3': port.exactOptional(),
});

const processRecord = z.object({
  pid: z.number().int().positive(),
  /** Which process of that number it was: numbers are used again. */
  identity: z.string(),
  /** Hash of the command: a running process with another one is started anew. */
  settings: z.string(),
  log: z.string(),
});

const stackState = z.object({
  version: z.literal(1),
  kind: z.enum(['docker', 'jvm']),
  /** A stack keeps the number that it was made with: topics have as many copies. */
  brokers: z.union(brokerCounts.map((count) => z.literal(count))).default(1),
  ports,
  processes: z.partialRecord(componentName, processRecord),
  /** Secret. The URL of the database, with its password. */
  database: z.string(),
  /** Where PostgreSQL's files are, when they cannot be below `dir`. */
  postgresPlace: z.string().nullable(),
});

const file = (dir: string) => join(dir, 'stack.json');

/** Null when there is none. Throws `stack_component_failed` when it is not what this version writes. */
export async function readState(dir: string): Promise<StackState | null> {
  let text: string;
  try {
    text = await readFile(file(dir), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = null;
  }
  const parsed = stackState.safeParse(json);
  if (parsed.success) return parsed.data;
  // The content stays out of the message: it holds a password.
  const where = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole file').join(', ');
  throw new Failure(
    'stack_component_failed',
    `${file(dir)} is not a stack file this version can read (wrong: ${where}). Stop what it names by hand and remove it.`,
  );
}

export async function writeState(dir: string, state: StackState): Promise<void> {
  await writeAtomically(file(dir), `${JSON.stringify(state, null, 2)}\n`);
}

/** Writes a file that only its owner may read, whole or not at all. */
export async function writeAtomically(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, content, { mode: 0o600, flush: true });
  await rename(temporary, path);
}
