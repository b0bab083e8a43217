import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { complete } from './complete.ts';
import { type Dialect, type FakeRequest, type Read, Refusal } from './dialect.ts';
import type { Fake, FakeCall, FakeOptions } from './fake.ts';
import { type Fault, htmlError, isFault, retryHeaders, statusMessage } from './faults.ts';
import type { Provider } from './models.ts';
import { idOf } from './tokens.ts';
import { plainAnswer, sendJson, streamAnswer } from './write.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A fake that runs: one HTTP server, the calls it took, and the faults that wait for the next ones. */
export class RunningFake implements Fake {
  readonly provider: Provider;
  readonly calls: Writable<FakeCall>[] = [];
  readonly refused: { status: number; message: string }[] = [];
  inAir = 0;
  maxInAir = 0;
  url = '';
  readonly #dialect: Dialect;
  readonly #options: FakeOptions;
  readonly #faults: Fault[] = [];
  readonly #closing = new AbortController();
  readonly #errors: unknown[] = [];
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response);
  });
  readonly #open = new Set<ServerResponse>();
  #requests = 0;

  constructor(dialect: Dialect, options: FakeOptions) {
    this.provider = dialect.provider;
    this.#dialect = dialect;
    this.#options = options;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port: bound } = this.#server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${bound}${this.provider === 'openai' ? '/v1' : ''}`;
  }

  fail(...faults: readonly Fault[]): void {
    for (const fault of faults) {
      if (fault.fault === 'refusal' && this.provider === 'ollama')
        throw new Error('Ollama has no refusals: a model that declines says so in its text');
      this.#faults.push(fault);
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await Promise.all([...this.#open].map((response) => once(response, 'close')));
    if (this.#errors.length > 0) throw new AggregateError(this.#errors, 'the answer of a fake threw');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      if (!response.writableFinished) gone.abort();
    });
    const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
    const requestId = idOf('req_', this.url, String(++this.#requests));
    try {
      const read = this.#dialect.read({
        method: request.method ?? 'GET',
        path: new URL(request.url ?? '/', this.url).pathname,
        headers: request.headers,
        text: await this.#body(request),
      });
      if (read.kind === 'reply') sendJson(this.#dialect, response, 200, JSON.stringify(read.json), requestId);
      else await this.#chat(read, response, requestId, signal);
    } catch (error) {
      if (error instanceof Refusal) this.#refuse(response, error, requestId);
      else if (!signal.aborted) {
        this.#errors.push(error);
        this.#refuse(response, new Refusal(500, `the fake's answer threw: ${String(error)}`), requestId);
      }
    }
  }

  async #body(request: IncomingMessage): Promise<string> {
    const most = this.#options.maxBodyBytes ?? this.#dialect.maxBodyBytes;
    const chunks: Buffer[] = [];
    let bytes = 0;
    // What is too much is read to its end all the same: a client that still sends would not see the answer.
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= most) chunks.push(chunk);
    }
    if (bytes > most)
      throw new Refusal(413, 'Request exceeds the maximum size', { type: 'request_too_large' });
    return Buffer.concat(chunks).toString();
  }

  async #chat(
    read: Read & { kind: 'chat' },
    response: ServerResponse,
    requestId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { request } = read;
    this.inAir += 1;
    this.maxInAir = Math.max(this.maxInAir, this.inAir);
    response.once('close', () => {
      this.inAir -= 1;
    });
    const queued = this.#faults.shift() ?? null;
    if (queued && this.#refused(queued, request, response)) return;
    const call: Writable<FakeCall> = {
      request,
      state: 'in_air',
      fault: queued?.fault ?? null,
      usage: null,
      dropped: read.dropped,
    };
    this.calls.push(call);
    response.once('close', () => {
      if (call.state === 'in_air') call.state = response.writableFinished ? 'answered' : 'gone';
    });
    if (queued?.fault === 'hang') return;
    if (queued?.fault === 'slow') await sleep(queued.ms, undefined, { signal });
    try {
      await this.#answer(read, call, queued, { response, requestId, signal });
    } catch (error) {
      // Refused after all: nothing was charged, and it was no call.
      if (error instanceof Refusal) this.#forget(call);
      throw error;
    }
  }

  async #answer(
    read: Read & { kind: 'chat' },
    call: Writable<FakeCall>,
    queued: Fault | null,
    on: { readonly response: ServerResponse; readonly requestId: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const { request } = read;
    const given = await this.#options.answer(request, on.signal);
    const fault = isFault(given) ? given : queued;
    call.fault = fault?.fault ?? null;
    if (isFault(given)) {
      if (given.fault === 'hang') return;
      if (given.fault === 'slow')
        throw new Error('`slow` has nothing to answer: use `fail`, or wait in `answer`');
      if (this.#refused(given, request, on.response)) {
        this.#forget(call);
        return;
      }
    }
    const full = complete(this.#dialect, read, isFault(given) ? {} : given, fault);
    call.usage = full.usage;
    const write = request.stream ? streamAnswer : plainAnswer;
    if ((await write(this.#dialect, { request, full, fault, ...on })) === 'broken') call.state = 'broken';
  }

  #forget(call: FakeCall): void {
    this.calls.splice(this.calls.indexOf(call), 1);
  }

  /** Whether a fault has ended the request before the model saw it. */
  #refused(fault: Fault, request: FakeRequest, response: ServerResponse): boolean {
    switch (fault.fault) {
      case 'status':
        throw new Refusal(fault.status, fault.message ?? statusMessage(fault.status), {
          headers: retryHeaders(fault),
        });
      case 'context_too_long':
      case 'model_not_found':
        throw this.#dialect.refusal(fault.fault, request.model);
      case 'reset':
        this.refused.push({ status: 0, message: 'connection reset' });
        response.socket?.resetAndDestroy();
        return true;
      case 'gateway': {
        const status = fault.status ?? 502;
        this.refused.push({ status, message: 'an answer of a proxy, in HTML' });
        response.writeHead(status, { 'content-type': 'text/html' }).end(htmlError(status));
        return true;
      }
      default:
        return false;
    }
  }

  #refuse(response: ServerResponse, refusal: Refusal, requestId: string): void {
    this.refused.push({ status: refusal.status, message: refusal.message });
    if (response.headersSent) response.destroy();
    else
      sendJson(
        this.#dialect,
        response,
        refusal.status,
        this.#dialect.errorBody(refusal, requestId),
        requestId,
        refusal.headers,
      );
  }
}
