import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The oldest that Kafka 4 runs on. */
export const oldestJava = 17;

export type Java = { found: true; file: string; version: number } | { found: false; why: string };

/** The Java of JAVA_HOME, else of PATH, if it is new enough. */
export async function findJava(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Java> {
  const file = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java';
  const output = await says(file, ['-version'], env, signal);
  if (output === null) return { found: false, why: `${file} cannot be run` };
  const version = javaVersion(output);
  if (version === null) return { found: false, why: `${file} does not tell its version` };
  if (version < oldestJava)
    return { found: false, why: `${file} is Java ${version}, older than ${oldestJava}` };
  return { found: true, file, version };
}

/** Whether this Java runs a program from its source: a JDK does, a JRE does not. */
export async function hasCompiler(
  file: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<boolean> {
  const modules = await says(file, ['--list-modules'], env, signal);
  return modules !== null && /^jdk\.compiler\b/m.test(modules);
}

export async function hasMaven(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<boolean> {
  return (await says('mvn', ['-version'], env, signal)) !== null;
}

/** The major version in what `java -version` says; null when it says none. `1.8` was the way to say 8. */
export function javaVersion(output: string): number | null {
  const match = /version "(?:1\.)?(\d+)/.exec(output);
  return match === null ? null : Number(match[1]);
}

async function says(
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, { env, signal, timeout: 15_000 });
    return stdout + stderr;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
