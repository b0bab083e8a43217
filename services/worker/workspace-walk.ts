/**
 * The way to what a path in a workspace names, without leaving the workspace whatever happens meanwhile.
 *
 * Each component is opened below the directory that is already held open, with O_PATH and O_NOFOLLOW: nothing is
 * followed, no FIFO waits and no device wakes, and what is then looked at is what is later read, not what has its name
 * by then. Links are followed by us: their text becomes components, `..` goes back to a directory that we came
 * through, and above the workspace there is none. So a directory that is exchanged for a link while we walk can make
 * a call fail, and never lead it out.
 *
 * Node has no `openat`; `/proc/self/fd/<n>/<name>` is the same. That makes it a matter of Linux.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, readlink } from 'node:fs/promises';
import { Failure } from '#chassis/failures.ts';

/** Linux; not among Node's constants. */
const O_PATH = 0o10000000;
/** As many as Linux itself follows. */
const MAX_LINKS = 40;
/** Handles held at once; a path that goes through more is refused. */
const MAX_HELD = 200;
/** Something may be removed again and again while it is made. */
const MAX_TRIES = 100;

/** What a path names. The handles are for their place in the tree alone: nothing is read from them. */
export interface Place {
  /** The directory that `name` is in. */
  readonly parent: FileHandle;
  readonly name: string;
  /** What is there, no link; null where nothing is. */
  readonly found: { readonly handle: FileHandle; readonly stats: Stats } | null;
  close(): Promise<void>;
}

interface Component {
  readonly name: string;
  /** The link that led here: what a link names must exist. */
  readonly link: string | null;
}

/** The components of a relative path. Throws `path_refused` for one that is not, or that leads upward. */
export function components(path: string): string[] {
  const refuse = (why: string) =>
    new Failure(
      'path_refused',
      `path ${JSON.stringify(path.slice(0, 200))} ${why}; expected one inside the workspace`,
    );
  if (path.includes('\0')) throw refuse('contains NUL');
  if (path.startsWith('/') || path.startsWith('\\') || /^[A-Za-z]:[\\/]/.test(path))
    throw refuse('is absolute');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse('contains ".."');
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw refuse('has a name of more than 255 bytes');
  if (Buffer.byteLength(path) > 3_000) throw refuse('is longer than 3000 bytes');
  return parts;
}

export const errno = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The path of an entry of a directory that is held open. */
export const within = (directory: FileHandle, name: string): string =>
  `/proc/self/fd/${directory.fd}/${name}`;

/** Opens what was looked at, and nothing that took its name since. */
export const reopen = (held: FileHandle, flags: number): Promise<FileHandle> =>
  open(`/proc/self/fd/${held.fd}`, flags | constants.O_NONBLOCK);

/** An entry, held and not opened; null when there is none. */
export async function hold(directory: FileHandle, name: string): Promise<FileHandle | null> {
  try {
    return await open(within(directory, name), O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errno(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Walks to what `path` names below `root`, an absolute path without links. With `make`, missing directories are made
 * and the last component may be missing; else all must be there. The caller closes the place.
 * Throws `path_refused` and `not_found`.
 */
export async function walk(root: string, path: string, make: boolean): Promise<Place> {
  const todo: Component[] = components(path).map((name) => ({ name, link: null }));
  const held: FileHandle[] = [];
  const close = async () => {
    for (const handle of held.splice(0)) await handle.close();
  };
  try {
    const top = await open(root, O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY);
    held.push(top);
    const way: { directory: FileHandle; name: string; stats: Stats | null }[] = [
      { directory: top, name: '.', stats: null },
    ];
    let links = 0;
    let tries = 0;
    for (;;) {
      const here = way.at(-1) ?? { directory: top, name: '.', stats: null };
      const next = todo.shift();
      if (next === undefined) {
        const parent = way.at(-2)?.directory ?? top;
        const stats = here.stats ?? (await here.directory.stat());
        return { parent, name: here.name, found: { handle: here.directory, stats }, close };
      }
      if (next.name === '..') {
        if (way.length === 1) throw leadsOut(path, next.link);
        way.pop();
        continue;
      }
      const handle = await hold(here.directory, next.name);
      if (handle === null) {
        if (next.link !== null)
          throw new Failure('path_refused', `${path}: ${next.link} is a symbolic link to nothing`);
        if (!make) throw new Failure('not_found', `${path} does not exist in the workspace`);
        if (todo.length === 0) return { parent: here.directory, name: next.name, found: null, close };
        if (++tries > MAX_TRIES)
          throw new Failure('not_found', `${path}: ${next.name} is removed all the time`);
        await mkdir(within(here.directory, next.name), { mode: 0o755 }).catch((error: unknown) => {
          if (errno(error) !== 'EEXIST') throw error;
        });
        todo.unshift(next);
        continue;
      }
      held.push(handle);
      tries = 0;
      if (held.length > MAX_HELD)
        throw new Failure(
          'path_refused',
          `${path.slice(0, 200)} goes through more than ${MAX_HELD} directories`,
        );
      const stats = await handle.stat();
      if (stats.isSymbolicLink()) {
        if (++links > MAX_LINKS)
          throw new Failure('path_refused', `${path} has more than ${MAX_LINKS} symbolic links`);
        let target = await textOf(here.directory, next.name, path);
        if (target.startsWith('/')) {
          if (target !== root && !target.startsWith(`${root}/`)) throw leadsOut(path, next.name);
          target = target.slice(root.length);
          way.length = 1;
        }
        const names = target.split('/').filter((name) => name !== '' && name !== '.');
        todo.unshift(...names.map((name) => ({ name, link: next.name })));
      } else if (stats.isDirectory()) {
        way.push({ directory: handle, name: next.name, stats });
      } else if (todo.length > 0) {
        throw new Failure('not_found', `${path}: ${next.name} is not a directory`);
      } else {
        return { parent: here.directory, name: next.name, found: { handle, stats }, close };
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
}

const leadsOut = (path: string, link: string | null) =>
  new Failure('path_refused', `${path}: ${link ?? '..'} is a symbolic link out of the workspace`);

async function textOf(directory: FileHandle, name: string, path: string): Promise<string> {
  try {
    return await readlink(within(directory, name));
  } catch (error) {
    const code = errno(error);
    if (code !== 'EINVAL' && code !== 'ENOENT') throw error;
    throw new Failure('path_refused', `${path}: ${name} was exchanged while it was looked at`);
  }
}
