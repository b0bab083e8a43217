/** The entries of a directory of a workspace, found through handles, so that nothing leads out. */
import type { Stats } from 'node:fs';
import { type FileHandle, lstat, opendir } from 'node:fs/promises';
import { components, errno, hold, within } from './workspace-walk.ts';

export interface Entry {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Bytes; 0 for what is not a file. */
  readonly size: number;
  /** The names that the file has, when there are several: it can be neither read nor written then. */
  readonly links?: number;
}

/** Deeper directories are named and not entered: each level holds a handle. */
const MAX_DEPTH = 64;
/** The most names that are read of one directory. */
const MAX_NAMES = 20_000;

/** The entries below a directory that is held open, sorted, at most `limit`; links are named and not followed. */
export async function listBelow(
  start: FileHandle,
  path: string,
  options: { recursive: boolean; limit: number; signal: AbortSignal },
): Promise<{ entries: Entry[]; truncated: boolean }> {
  const entries: Entry[] = [];
  let truncated = false;
  const enter = async (directory: FileHandle, prefix: string, depth: number): Promise<void> => {
    options.signal.throwIfAborted();
    const names = await namesOf(directory);
    if (names.more) truncated = true;
    for (const name of names.found) {
      if (entries.length >= options.limit) {
        truncated = true;
        return;
      }
      const stats = await lstat(within(directory, name)).catch((error: unknown) => {
        if (errno(error) === 'ENOENT') return null;
        throw error;
      });
      if (stats === null) continue;
      const shown = prefix === '' ? name : `${prefix}/${name}`;
      entries.push(entryOf(shown, stats));
      if (!stats.isDirectory() || !options.recursive) continue;
      if (depth === MAX_DEPTH) {
        truncated = true;
        continue;
      }
      const below = await hold(directory, name);
      if (below === null) continue;
      try {
        // It may have been exchanged since.
        if ((await below.stat()).isDirectory()) await enter(below, shown, depth + 1);
      } finally {
        await below.close();
      }
    }
  };
  await enter(start, components(path).join('/'), 1);
  return { entries, truncated };
}

function entryOf(path: string, stats: Stats): Entry {
  if (stats.isFile()) {
    return { path, kind: 'file', size: stats.size, ...(stats.nlink > 1 ? { links: stats.nlink } : {}) };
  }
  return {
    path,
    kind: stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'link' : 'other',
    size: 0,
  };
}

async function namesOf(directory: FileHandle): Promise<{ found: string[]; more: boolean }> {
  const found: string[] = [];
  // Leaving the loop closes the directory.
  for await (const { name } of await opendir(within(directory, '.'), { bufferSize: 256 })) {
    if (found.length === MAX_NAMES) return { found: found.sort(), more: true };
    found.push(name);
  }
  return { found: found.sort(), more: false };
}
