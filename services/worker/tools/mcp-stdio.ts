/**
 * An MCP server as a child process, bounded as commands are: it gets no environment but what its role lists, leads a
 * process group of its own, and dies with this worker, even by SIGKILL, with all its children. (The transport of the
 * SDK passes on HOME and more, and leaves grandchildren behind.)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Failure } from '#chassis/failures.ts';
import type { McpStdioServer } from '#roles/mcp-front-matter.ts';
import { HeadAndTail } from './output.ts';
import { killGroup, WATCHED } from './run-command.ts';

/** The most bytes of one message; more ends the connection. */
export const MESSAGE_LIMIT = 4 * 1024 * 1024;
/** Lines that are no message (a log in the wrong place) until the server is taken for broken. */
const MOST_GARBAGE = 20;
/** From the end of its input to SIGTERM, and from there to SIGKILL. */
const GRACE_MS = 250;

export class McpStdio implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: McpStdioServer;
  readonly #env: NodeJS.ProcessEnv;
  readonly #buffer = new ReadBuffer({ maxBufferSize: MESSAGE_LIMIT });
  readonly #stderr = new HeadAndTail(8 * 1024);
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #garbage = 0;
  #closing = false;

  /** `env` is where the variables are taken from that the server names. */
  constructor(server: McpStdioServer, env: NodeJS.ProcessEnv) {
    this.#server = server;
    this.#env = env;
  }

  /** The end of what it said on standard error, for the log. */
  get said(): string {
    return this.#stderr.text(2_000).text.trim();
  }

  start(): Promise<void> {
    const { command, cwd } = this.#server;
    const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', ...command], {
      ...(cwd === null ? {} : { cwd }),
      env: environment(this.#server, this.#env),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of child.stdio) stream?.on('error', () => {});
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    // The watchdog keeps the group, and so its id, alive until here: no other process can be meant.
    child.once('exit', () => killGroup(child.pid, 'SIGKILL'));
    this.#ended = new Promise((ended) => {
      const end = () => {
        ended();
        this.onclose?.();
      };
      child.once('exit', end);
      child.once('error', end);
    });
    return new Promise((started, failed) => {
      child.once('spawn', () => started());
      child.once('error', failed);
    });
  }

  send(message: JSONRPCMessage): Promise<void> {
    const input = this.#child?.stdin;
    if (!input?.writable) return Promise.reject(new Error('the server has ended'));
    // What it does not read stays in memory; every call has a deadline, after which a server that is stuck is ended.
    input.write(serializeMessage(message));
    return Promise.resolve();
  }

  /** Ends its input, then the process, then its whole group; takes half a second. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === null || this.#closing) return this.#ended;
    this.#closing = true;
    child.stdin?.end();
    const terminate = setTimeout(() => killGroup(child.pid, 'SIGTERM'), GRACE_MS);
    const kill = setTimeout(() => killGroup(child.pid, 'SIGKILL'), GRACE_MS * 2);
    await this.#ended;
    clearTimeout(terminate);
    clearTimeout(kill);
    for (const stream of child.stdio) stream?.destroy();
  }

  /** Ends it at once, for a server that does not answer anyway. */
  kill(): void {
    killGroup(this.#child?.pid, 'SIGKILL');
  }

  #take(chunk: Buffer): void {
    if (this.#closing) return;
    try {
      this.#buffer.append(chunk);
    } catch {
      return this.#break(`a message of more than ${MESSAGE_LIMIT} bytes`);
    }
    for (;;) {
      let message: JSONRPCMessage | null;
      try {
        message = this.#buffer.readMessage();
      } catch {
        if (++this.#garbage < MOST_GARBAGE) continue;
        return this.#break(`${this.#garbage} lines that are no messages`);
      }
      if (message === null) return;
      this.onmessage?.(message);
    }
  }

  #break(found: string): void {
    this.onerror?.(new Error(`found ${found}`));
    this.kill();
    this.#buffer.clear();
    void this.close();
  }
}

/** Throws `mcp_failed` naming a variable that the role lists and that is not set. */
function environment(server: McpStdioServer, from: NodeJS.ProcessEnv): Record<string, string> {
  const env: Record<string, string> = {
    // As for commands: first the directory of this very Node.
    PATH: `${dirname(process.execPath)}:${from['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}`,
  };
  for (const name of server.env) {
    const value = from[name];
    if (value === undefined) throw missing(server.name, name);
    env[name] = value;
  }
  return env;
}

export const missing = (server: string, variable: string): Failure =>
  new Failure(
    'mcp_failed',
    `MCP server ${server}: the environment variable ${variable} that its role names is not set`,
  );
