import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { givenAddress } from '#local/address.ts';
import { dockerAnswers } from '#local/docker.ts';
import { findJava, hasMaven, oldestJava } from '#local/java.ts';
import { defaultPorts, isFree } from '#local/ports.ts';
import { whereIs } from '#local/stack.ts';
import { findSandbox } from '#worker/tools/sandbox-warning.ts';
import type { Invocation } from './invocation.ts';
import { placeOf } from './place.ts';

export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

export interface Check {
  readonly name: string;
  /** Said when the check itself throws. */
  readonly advice: string;
  run(): Promise<Finding>;
}

const oldestNode = 24;

/** What the machine has, whether or not anything runs. */
export function machineChecks({ env, signal }: Invocation): Check[] {
  return [
    {
      name: 'node',
      advice: '`npm ci` brings one along.',
      async run() {
        const found = process.versions.node;
        return Number(found.split('.')[0]) >= oldestNode
          ? { level: 'ok', found }
          : { level: 'fail', found, advice: `expected ${oldestNode} or newer; \`npm ci\` brings one along.` };
      },
    },
    {
      name: 'stack',
      advice: 'Set the three addresses, or start Docker, or install Java and Maven.',
      run: () => stackCheck(env, signal),
    },
    {
      name: 'ports',
      advice: 'Free the port; `ravenhelm up` takes another one meanwhile.',
      run: () => portsCheck(env),
    },
    {
      name: 'openssl',
      advice: 'Install openssl: missions/deploy-platform.yaml makes certificates with it.',
      async run() {
        const { stdout } = await promisify(execFile)('openssl', ['version'], { timeout: 5000, signal });
        return { level: 'ok', found: stdout.trim() };
      },
    },
    {
      name: 'sandbox',
      advice: 'Install bubblewrap: without it, the commands of tasks may do what you may.',
      async run() {
        const { whole, found } = await findSandbox();
        if (whole) return { level: 'ok', found };
        const advice =
          'Install bubblewrap, and run as an ordinary user: docs/security.md says what it protects.';
        return { level: 'warn', found, advice };
      },
    },
    {
      name: 'folder',
      advice: 'Make the folder writable, or set RAVENHELM_HOME to one that is.',
      async run() {
        const { home } = placeOf(env);
        mkdirSync(home, { recursive: true });
        accessSync(home, constants.W_OK);
        return { level: 'ok', found: home };
      },
    },
  ];
}

async function stackCheck(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Finding> {
  if (givenAddress(env) !== null) return { level: 'ok', found: 'addresses given in the environment' };
  const [docker, java, maven] = await Promise.all([
    dockerAnswers(env, signal),
    findJava(env, signal),
    hasMaven(env, signal),
  ]);
  const found = [
    docker.found ? 'Docker' : docker.why,
    java.found ? `Java ${java.version}` : java.why,
    maven ? 'Maven' : '`mvn` cannot be run',
  ].join('; ');
  if (docker.found || (java.found && maven)) return { level: 'ok', found };
  const advice = `Set the three addresses, or start a Docker engine, or install Java ${oldestJava} and Maven.`;
  return { level: 'fail', found, advice };
}

async function portsCheck(env: NodeJS.ProcessEnv): Promise<Finding> {
  if ((await whereIs({ dir: placeOf(env).home, env })) !== null)
    return { level: 'ok', found: 'in use by our own stack' };
  const names = Object.entries(defaultPorts);
  const free = await Promise.all(names.map(([, port]) => isFree(port)));
  const taken = names.filter((_, index) => !free[index]).map(([name, port]) => `${name} ${port}`);
  if (taken.length === 0) return { level: 'ok', found: 'the default ports are free' };
  return {
    level: 'warn',
    found: `taken: ${taken.join(', ')}`,
    advice: '`ravenhelm up` takes the next free ones and says so.',
  };
}
