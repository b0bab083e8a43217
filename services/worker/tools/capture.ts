/**
 * The output of a command while it is read: its beginning and end in memory, and, when it is longer than a result may
 * be, the whole of it in a file of the workspace, as far as that is allowed to grow.
 */
import type { FileHandle } from 'node:fs/promises';
import { directoryName, type Workspace } from '#worker/workspace.ts';
import { HeadAndTail } from './output.ts';

/** The most bytes of one output that are kept in a file. */
export const FILE_LIMIT = 16 * 1024 * 1024;

/** Where the whole of an output is. */
export interface OutputFile {
  /** In the workspace; `workspace_read` reads it on. */
  readonly path: string;
  readonly bytes: number;
  /** False when the output was longer than a file may be. */
  readonly complete: boolean;
}

/** The file for the output of a step, in the workspace: the same for each try of it, different for every other step. */
export const outputPath = (idempotencyKey: string, part = ''): string =>
  `.ravenhelm/outputs/${directoryName(idempotencyKey)}${part}.txt`;

export class Capture {
  readonly kept: HeadAndTail;
  readonly #workspace: Workspace;
  readonly #path: string;
  readonly #fileLimit: number;
  #file: FileHandle | null = null;
  #bytes = 0;
  /** Null while there is no file. A file that could not be written is no reason for a command to fail. */
  #state: 'none' | 'open' | 'closed' | 'failed' = 'none';

  /** Keeps `limit` bytes in memory. Beyond them a file is made at `path`, of at most `fileLimit` bytes. */
  constructor(options: { limit: number; workspace: Workspace; path: string; fileLimit?: number }) {
    this.kept = new HeadAndTail(options.limit);
    this.#workspace = options.workspace;
    this.#path = options.path;
    this.#fileLimit = options.fileLimit ?? FILE_LIMIT;
  }

  /** To be awaited before the next chunk is read, so that no more is in memory than this chunk. Never rejects. */
  async push(chunk: Buffer): Promise<void> {
    const { kept } = this;
    if (this.#state === 'none' && kept.total + chunk.length > kept.limit) await this.#begin();
    kept.push(chunk);
    await this.#write(chunk);
  }

  /** Makes the file, if it is not there yet, of what is in memory. */
  async save(): Promise<void> {
    if (this.#state === 'none') await this.#begin();
    await this.end();
  }

  async end(): Promise<void> {
    await this.#file?.close().catch(() => {});
    this.#file = null;
    if (this.#state === 'open') this.#state = 'closed';
  }

  get file(): OutputFile | null {
    if (this.#state === 'none' || this.#state === 'failed') return null;
    return { path: this.#path, bytes: this.#bytes, complete: this.#bytes === this.kept.total };
  }

  /** All that came so far is in memory here. */
  async #begin(): Promise<void> {
    try {
      this.#file = await this.#workspace.openNewFile(this.#path);
      this.#state = 'open';
    } catch {
      this.#state = 'failed';
    }
    await this.#write(this.kept.kept);
  }

  async #write(bytes: Buffer): Promise<void> {
    const room = this.#fileLimit - this.#bytes;
    if (this.#file === null || room <= 0 || bytes.length === 0) return;
    const piece = bytes.subarray(0, room);
    try {
      await this.#file.writeFile(piece);
      this.#bytes += piece.length;
    } catch {
      await this.end();
      this.#state = 'failed';
    }
  }
}
