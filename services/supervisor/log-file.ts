import { closeSync, copyFileSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

const largest = 16 * 1024 * 1024;

/** Opens a log to be added to, and lets `use` hand it to a process, which then writes it without us. */
export function withLog<T>(path: string, use: (fd: number) => T): T {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(path, 'a', 0o600);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Moves a log that has grown too large to `<path>.1`, of which there is one. It is copied and cut, not renamed:
 * the process that writes it holds it open. Lines written in between are lost, and nothing but log lines is.
 */
export function rotate(path: string, limit = largest): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= limit) return false;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
  return true;
}
