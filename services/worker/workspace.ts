/**
 * A mission's workspace: one directory that all tasks of the mission share, and the only one that the workspace
 * tools may touch.
 *
 * Paths given by a model are relative to it. Absolute paths, `..`, NUL and symbolic links that lead out are refused
 * (`path_refused`), and so is anything that is not a regular file or a directory: a FIFO would block its reader
 * for ever, and a device is not a file.
 *
 * What remains: between the check of the parents and the opening of the last component another process of the
 * same mission may exchange a parent for a link (the last component itself is opened with O_NOFOLLOW). Only
 * commands of that mission can do so, and they run as the same user and could write there without our help: these
 * checks are against a model's mistakes and injected paths, not a jail for commands.
 */

import { hash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { Failure } from '#chassis/failures.ts';

export type WriteMode = 'create' | 'overwrite' | 'append';

export interface Entry {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Bytes; 0 for what is not a file. */
  readonly size: number;
}

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

const errno = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

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
    const target = await this.#locate(path, false);
    const file = await this.#open(path, target, constants.O_RDONLY);
    try {
      const stats = await file.stat();
      if (stats.isDirectory()) throw new Failure('not_found', `${path} is a directory; expected a file`);
      if (!stats.isFile()) throw new Failure('path_refused', `${path} is not a regular file`);
      return { file, size: stats.size };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Writes a whole file, or appends to it; makes missing directories. `create` and `overwrite` are atomic: a reader
   * sees the old content or the new. `create` of a file that exists with the same content succeeds, so that it may
   * be done again. Returns the size of the file in bytes.
   */
  async write(path: string, content: string, mode: WriteMode): Promise<number> {
    const target = await this.#locate(path, true);
    const existing = await lstat(target).catch(() => null);
    if (existing && !existing.isFile()) {
      throw new Failure('path_refused', `${path} exists and is not a regular file`);
    }
    if (mode === 'append') {
      const file = await this.#open(
        path,
        target,
        constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT,
      );
      try {
        await file.writeFile(content);
        return (await file.stat()).size;
      } finally {
        await file.close();
      }
    }
    const temporary = join(
      dirname(target),
      `.${basename(target).slice(0, 100)}.${randomBytes(6).toString('hex')}~`,
    );
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = await this.#open(path, temporary, flags, existing ? existing.mode & 0o777 : 0o644);
    try {
      await file.writeFile(content);
      await file.close();
      if (mode === 'overwrite') await rename(temporary, target);
      else await link(temporary, target);
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
      if ((await readFile(target, 'utf8')) !== content) {
        throw new Failure(
          'path_refused',
          `${path} exists with another content; expected no such file (mode "create")`,
        );
      }
    } finally {
      await file.close().catch(() => {});
      if (mode === 'create') await unlink(temporary).catch(() => {});
    }
    return Buffer.byteLength(content);
  }

  /** The entries of a directory, sorted by path, at most `limit`; links are named and not followed. */
  async list(
    path: string,
    options: { recursive: boolean; limit: number; signal: AbortSignal },
  ): Promise<{ entries: Entry[]; truncated: boolean }> {
    const start = await this.#locate(path, false);
    const prefix = components(path).join('/');
    const entries: Entry[] = [];
    const pending: [string, string][] = [[start, prefix]];
    for (let next = pending.pop(); next; next = pending.pop()) {
      options.signal.throwIfAborted();
      const [directory, shown] = next;
      const found = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
        if (errno(error) === 'ENOTDIR') throw new Failure('not_found', `${path} is not a directory`);
        if (errno(error) === 'ENOENT') throw new Failure('not_found', `${path} does not exist`);
        throw error;
      });
      found.sort((a, b) => (a.name < b.name ? -1 : 1));
      const below: [string, string][] = [];
      for (const item of found) {
        if (entries.length >= options.limit) return { entries, truncated: true };
        const where = join(directory, item.name);
        const name = shown === '' ? item.name : `${shown}/${item.name}`;
        const kind = item.isFile()
          ? 'file'
          : item.isDirectory()
            ? 'directory'
            : item.isSymbolicLink()
              ? 'link'
              : 'other';
        const size =
          kind === 'file'
            ? await lstat(where).then(
                (stats) => stats.size,
                () => 0,
              )
            : 0;
        entries.push({ path: name, kind, size });
        if (kind === 'directory' && options.recursive) below.push([where, name]);
      }
      pending.push(...below.reverse());
    }
    return { entries, truncated: false };
  }

  /** The real path of what is named, all parents checked; with `forWriting`, missing directories are made. */
  async #locate(path: string, forWriting: boolean): Promise<string> {
    const root = await this.ensure();
    const parts = components(path);
    if (forWriting && (parts.length === 0 || path.endsWith('/'))) {
      throw new Failure('path_refused', `path ${JSON.stringify(path)} names a directory; expected a file`);
    }
    let at = root;
    for (const [index, part] of parts.entries()) {
      const next = join(at, part);
      const last = index === parts.length - 1;
      const stats = await lstat(next).catch((error: unknown) => {
        if (errno(error) === 'ENOENT') return null;
        if (errno(error) === 'ENOTDIR')
          throw new Failure('not_found', `${path}: ${parts.slice(0, index).join('/')} is not a directory`);
        throw error;
      });
      if (stats === null) {
        if (!forWriting) throw new Failure('not_found', `${path} does not exist in the workspace`);
        if (last) return next;
        await mkdir(next, { mode: 0o755 }).catch((error: unknown) => {
          if (errno(error) !== 'EEXIST') throw error;
        });
        at = next;
      } else if (stats.isSymbolicLink()) {
        at = await realpath(next).catch(() => {
          throw new Failure('path_refused', `${path}: ${part} is a symbolic link to nothing`);
        });
        if (at !== root && !at.startsWith(root + sep)) {
          throw new Failure('path_refused', `${path}: ${part} is a symbolic link out of the workspace`);
        }
      } else {
        at = next;
      }
    }
    return at;
  }

  /** O_NONBLOCK: opening a FIFO must not wait for its other end. */
  async #open(path: string, target: string, flags: number, mode = 0o644): Promise<FileHandle> {
    try {
      return await open(target, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode);
    } catch (error) {
      const code = errno(error);
      if (code === 'ENOENT') throw new Failure('not_found', `${path} does not exist in the workspace`);
      if (code === 'ELOOP' || code === 'ENXIO')
        throw new Failure('path_refused', `${path} is not a regular file`);
      throw error;
    }
  }
}
