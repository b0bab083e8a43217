/**
 * A mission's workspace: one directory that all tasks of the mission share, and the only one that the workspace
 * tools may touch.
 *
 * Paths given by a model are relative to it. Absolute paths, `..`, NUL and symbolic links that lead out are refused
 * (`path_refused`), and so is anything that is not a regular file or a directory, and a regular file that has a second
 * name: that name may be outside. Links that stay inside are followed. `workspace-walk.ts` says why a parent that is
 * exchanged for a link meanwhile does not lead out.
 *
 * What remains: the tasks of a mission share its workspace, so they can read and change each other's files.
 */

import { hash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, realpath, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '#chassis/failures.ts';
import { type Entry, listBelow } from './workspace-list.ts';
import { errno, hold, type Place, reopen, walk, within } from './workspace-walk.ts';

export type { Entry } from './workspace-list.ts';
export { components } from './workspace-walk.ts';

export type WriteMode = 'create' | 'overwrite' | 'append';

/** The most bytes of one write. */
export const WRITE_LIMIT = 1024 * 1024;

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
const PLAIN_ID = /^[a-z0-9][a-z0-9._-]{0,79}$/;

/**
 * The directory name of a mission id. An id that is a safe name on every file system is its own name; of any other,
 * a readable part and a hash. `~` is in no plain id, so the two never meet.
 */
export function directoryName(missionId: string): string {
  if (PLAIN_ID.test(missionId) && !missionId.endsWith('.')) return missionId;
  const readable = missionId
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .slice(0, 40);
  return `${readable}~${hash('sha256', missionId).slice(0, 16)}`;
}

export class Workspace {
  /** Absolute; may not exist before `ensure`. */
  readonly directory: string;
  #real: Promise<string> | null = null;

  constructor(root: string, missionId: string) {
    this.directory = join(root, directoryName(missionId));
  }

  /** Creates the directory (0700) if it is missing; gives its real path. */
  ensure(): Promise<string> {
    this.#real ??= mkdir(this.directory, { recursive: true, mode: 0o700 })
      .then(() => realpath(this.directory))
      .catch((error: unknown) => {
        this.#real = null;
        throw error;
      });
    return this.#real;
  }

  /** Opens a regular file for reading. The caller closes it. Throws `not_found`, `path_refused`. */
  async openFile(path: string): Promise<{ file: FileHandle; size: number }> {
    const place = await walk(await this.ensure(), path, false);
    try {
      if (place.found?.stats.isDirectory() !== false)
        throw new Failure('not_found', `${path} is a directory; expected a file`);
      const file = await reopen(await ownFile(place, path), O_RDONLY);
      return { file, size: (await file.stat()).size };
    } finally {
      await place.close();
    }
  }

  /**
   * Writes a whole file, or appends to it; makes missing directories. `create` and `overwrite` are atomic: a reader
   * sees the old content or the new. `create` of a file that exists with the same content succeeds, so that it may
   * be done again. Returns the size of the file in bytes. Throws `path_refused`, `not_found`, and `invalid_arguments`
   * for more than 1 MiB.
   */
  async write(path: string, content: string, mode: WriteMode): Promise<number> {
    const bytes = Buffer.from(content);
    if (bytes.length > WRITE_LIMIT) {
      const found = `found ${bytes.length} bytes for ${path}, expected at most ${WRITE_LIMIT} in one write`;
      throw new Failure('invalid_arguments', found);
    }
    return this.#at(path, async (place, existing) => {
      if (mode === 'append') {
        const file = existing
          ? await reopen(existing, O_WRONLY | O_APPEND)
          : await openNew(place, place.name, 0o644);
        return using(file, async () => {
          await file.writeFile(bytes);
          return (await file.stat()).size;
        });
      }
      const temporary = `${temporaryPrefix(place.name)}${randomBytes(6).toString('hex')}~`;
      const permissions = (place.found?.stats.mode ?? 0o644) & 0o777;
      try {
        await using(await openNew(place, temporary, permissions), (file) => file.writeFile(bytes));
        const [from, to] = [within(place.parent, temporary), within(place.parent, place.name)];
        if (mode === 'overwrite') await rename(from, to);
        else await link(from, to);
      } catch (error) {
        if (mode !== 'create' || errno(error) !== 'EEXIST') throw error;
        if (!(await this.#holds(path, bytes))) {
          throw new Failure(
            'path_refused',
            `${path} exists with another content; expected no such file (mode "create")`,
          );
        }
      } finally {
        await unlink(within(place.parent, temporary)).catch(() => {});
      }
      return bytes.length;
    });
  }

  /** A new, empty file in the place of whatever regular file is there, to be written bit by bit. The caller closes it. */
  async openNewFile(path: string): Promise<FileHandle> {
    return this.#at(path, async (place, existing) => {
      if (existing) await unlink(within(place.parent, place.name));
      return openNew(place, place.name, 0o644);
    });
  }

  /** The entries of a directory, sorted by path, at most `limit`; links are named and not followed. */
  async list(
    path: string,
    options: { recursive: boolean; limit: number; signal: AbortSignal },
  ): Promise<{ entries: Entry[]; truncated: boolean }> {
    const place = await walk(await this.ensure(), path, false);
    try {
      if (!place.found?.stats.isDirectory()) throw new Failure('not_found', `${path} is not a directory`);
      return await listBelow(place.found.handle, path, options);
    } finally {
      await place.close();
    }
  }

  /** Does something where a file is or shall be; once more if another made it meanwhile. */
  async #at<T>(path: string, work: (place: Place, existing: FileHandle | null) => Promise<T>): Promise<T> {
    const root = await this.ensure();
    for (let tries = 1; ; tries++) {
      const place = await walk(root, path.endsWith('/') ? `${path}.` : path, true);
      try {
        if (place.found?.stats.isDirectory() || path.endsWith('/')) {
          throw new Failure(
            'path_refused',
            `path ${JSON.stringify(path)} names a directory; expected a file`,
          );
        }
        return await work(place, place.found && (await ownFile(place, path)));
      } catch (error) {
        const code = errno(error);
        if (code === 'ENOENT') throw new Failure('not_found', `${path}: its directory was removed meanwhile`);
        if (code !== 'EEXIST' || tries === 3) throw error;
      } finally {
        await place.close();
      }
    }
  }

  async #holds(path: string, bytes: Buffer): Promise<boolean> {
    const { file, size } = await this.openFile(path);
    return using(file, async () => size === bytes.length && (await file.readFile()).equals(bytes));
  }
}

/** What is at the place, if it is a regular file that has no other name. Throws `path_refused`. */
async function ownFile({ parent, name, found }: Place, path: string): Promise<FileHandle> {
  if (!found?.stats.isFile()) throw new Failure('path_refused', `${path} is not a regular file`);
  if (found.stats.nlink <= 1) return found.handle;
  // A `create` that was killed, or that runs this moment, has a second name for the file: ours, and no longer needed.
  const ours = new RegExp(`^${RegExp.escape(temporaryPrefix(name))}[0-9a-f]{12}~$`);
  for (const other of await readdir(within(parent, '.'))) {
    if (!ours.test(other)) continue;
    const held = await hold(parent, other);
    if (held === null) continue;
    const same = await using(held, async () => (await held.stat()).ino === found.stats.ino);
    if (same) await unlink(within(parent, other)).catch(() => {});
  }
  const { nlink } = await found.handle.stat();
  if (nlink <= 1) return found.handle;
  throw new Failure('path_refused', `${path} has ${nlink} names (hard links), and another may be outside`);
}

const temporaryPrefix = (name: string) => `.${Buffer.from(name).subarray(0, 100).toString('latin1')}.`;

const openNew = ({ parent }: Place, name: string, permissions: number): Promise<FileHandle> =>
  open(within(parent, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, permissions);

async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
