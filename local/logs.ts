import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ComponentName } from './state.ts';

/** Where a component of a stack in `dir` writes its log. */
export function logFile(dir: string, name: ComponentName): string {
  return join(dir, 'logs', `${name}.log`);
}

/**
 * Whole lines that are added to a file, from its end on or from the last `from` bytes, until the signal. Waits for a
 * file that is not there yet, and begins again when it was moved aside or cut.
 */
export async function* tail(path: string, signal: AbortSignal, from = 0): AsyncGenerator<string> {
  let position: number | null = null;
  let inode = 0;
  let rest = '';
  while (!signal.aborted) {
    const found = await stat(path).catch(() => null);
    if (found !== null) {
      if (position === null) position = Math.max(0, found.size - from);
      else if (found.ino !== inode || found.size < position) {
        position = 0;
        rest = '';
      }
      inode = found.ino;
    }
    while (found !== null && position !== null && position < found.size) {
      const bytes = await read(path, position, found.size);
      if (bytes.length === 0) break;
      position += bytes.length;
      // Taken as single bytes and cut at newlines, so that no character is cut.
      const lines = (rest + bytes.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield Buffer.from(line, 'latin1').toString('utf8');
    }
    await sleep(200, undefined, { signal }).catch(() => {});
  }
}

async function read(path: string, from: number, to: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return Buffer.alloc(0);
  try {
    const length = Math.min(to - from, 64 * 1024);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
