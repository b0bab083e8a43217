/**
 * The sandbox that commands run in where the machine has bubblewrap: namespaces of their own, in which there are the
 * programs of the system, read-only, the workspace, and nothing else. `docs/security.md` says what it protects from.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, lstatSync, readlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { asFailure } from '#chassis/failures.ts';
import { defaultSandboxRules, type SandboxRules } from '#roles/sandbox-front-matter.ts';
import { resourceLimits } from './resource-limits.ts';

export interface Bubblewrap {
  readonly kind: 'bubblewrap';
  readonly version: string;
  readonly bwrap: string;
  readonly prlimit: string;
  /** Whether it can forbid further user namespaces (0.8). */
  readonly seals: boolean;
}
export type Sandbox = Bubblewrap | { readonly kind: 'none'; readonly why: string };

export interface Enclosed {
  readonly rules: SandboxRules;
  /** Real path: it is there under the same path, writable. */
  readonly workspace: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** The file descriptor where it says which process it is. */
  readonly infoFd?: number;
}

const PROBE_MS = 10_000;
/** Bytes of `/tmp` and of `/dev/shm`, which are in memory. */
const TMP_BYTES = 256 * 1024 * 1024;

const systemDirectories = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** What programs need of `/etc`: nothing in it is secret. Not `/etc/ssl` whole, which may hold private keys. */
const etc = [
  'alternatives',
  'ca-certificates',
  'crypto-policies',
  'group',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'passwd',
  'pki/ca-trust',
  'pki/tls/certs',
  'pki/tls/openssl.cnf',
  'ssl/certs',
  'ssl/openssl.cnf',
];
const etcOfNetwork = ['gai.conf', 'host.conf', 'hosts', 'protocols', 'resolv.conf', 'services'];

let probed: Promise<Sandbox> | null = null;

/** What this machine has; tried once in a process, by running something in it. Never rejects. */
export function probeSandbox(): Promise<Sandbox> {
  probed ??= probe();
  return probed;
}

async function probe(): Promise<Sandbox> {
  const bwrap = findProgram('bwrap');
  const prlimit = findProgram('prlimit');
  if (process.platform !== 'linux' || bwrap === null)
    return { kind: 'none', why: 'this machine has no bubblewrap' };
  if (prlimit === null) return { kind: 'none', why: 'this machine has no prlimit' };
  let problem = '';
  for (const seals of [true, false]) {
    const sandbox: Bubblewrap = { kind: 'bubblewrap', version: '', bwrap, prlimit, seals };
    try {
      const [file = '', ...args] = enclose(['true'], sandbox, {
        rules: defaultSandboxRules,
        workspace: null,
        env: { PATH: '/usr/bin:/bin' },
      });
      const options = { timeout: PROBE_MS, env: {} };
      await promisify(execFile)(file, args, options);
      const { stdout } = await promisify(execFile)(bwrap, ['--version'], options);
      return { ...sandbox, version: stdout.trim().replace(/^bubblewrap /, '') };
    } catch (error) {
      problem = lastLine(asFailure(error).message);
    }
  }
  return { kind: 'none', why: `the bubblewrap of this machine does not work (${problem})` };
}

/** The command that runs `argv` in the sandbox, under the limits of the rules. */
export function enclose(argv: readonly string[], sandbox: Bubblewrap, enclosed: Enclosed): string[] {
  const { rules, workspace, env, infoFd } = enclosed;
  const node = dirname(process.execPath);
  return [
    sandbox.bwrap,
    '--unshare-all',
    ...(rules.network ? ['--share-net'] : []),
    ...(sandbox.seals ? ['--unshare-user', '--disable-userns'] : []),
    '--die-with-parent',
    '--new-session',
    ...(infoFd === undefined ? [] : ['--info-fd', String(infoFd)]),
    '--cap-drop',
    'ALL',
    '--clearenv',
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...systemDirectories.flatMap(systemDirectory),
    ...[...etc, ...(rules.network ? etcOfNetwork : [])].flatMap((name) => readOnly(`/etc/${name}`)),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...tmpfs('/dev/shm', sandbox),
    ...tmpfs('/tmp', sandbox),
    ...(node.startsWith('/usr/') ? [] : readOnly(node)),
    ...(workspace === null ? [] : ['--bind', workspace, workspace, '--chdir', workspace]),
    // What bubblewrap made of its own to hang these into, would else be writable memory without bounds.
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
    '--',
    sandbox.prlimit,
    ...resourceLimits(rules),
    '--',
    ...argv,
  ];
}

const readOnly = (path: string): string[] => ['--ro-bind-try', path, path];

/** Today most systems have links to `/usr` here. */
function systemDirectory(path: string): string[] {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  return stats.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : readOnly(path);
}

/** Older bubblewraps cannot bound it: the limit for files holds there. */
const tmpfs = (path: string, { seals }: Bubblewrap): string[] => [
  ...(seals ? ['--size', String(TMP_BYTES)] : []),
  '--tmpfs',
  path,
];

function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/local/bin'];
  for (const folder of folders) {
    if (!folder.startsWith('/')) continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
