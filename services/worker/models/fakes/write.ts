/** Answers on the wire, whole or in pieces, and the ways in which they break. */
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Dialect, FakeRequest, FullAnswer } from './dialect.ts';
import { Refusal } from './dialect.ts';
import type { Fault } from './faults.ts';

export interface Answering {
  readonly request: FakeRequest;
  readonly full: FullAnswer;
  readonly fault: Fault | null;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export function sendJson(
  dialect: Dialect,
  response: ServerResponse,
  status: number,
  json: string,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, {
      ...dialect.headers(requestId),
      ...headers,
      'content-type': dialect.provider === 'ollama' ? 'application/json; charset=utf-8' : 'application/json',
      'content-length': Buffer.byteLength(json),
    })
    .end(json);
}

export async function plainAnswer(dialect: Dialect, answering: Answering): Promise<'done' | 'broken'> {
  const { request, full, fault, response, requestId } = answering;
  if (fault?.fault === 'stream_error') {
    const refusal = dialect.refusal('overloaded', request.model);
    throw new Refusal(refusal.status, fault.message ?? refusal.message);
  }
  const json = dialect.plain(request, full);
  const half = json.slice(0, Math.floor(json.length / 2));
  if (fault?.fault === 'truncated') {
    sendJson(dialect, response, 200, half, requestId);
    return 'broken';
  }
  if (fault?.fault === 'break') {
    const type = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) };
    response.writeHead(200, { ...dialect.headers(requestId), ...type });
    await breakOff(response, half);
    return 'broken';
  }
  sendJson(dialect, response, 200, json, requestId);
  return 'done';
}

export async function streamAnswer(dialect: Dialect, answering: Answering): Promise<'done' | 'broken'> {
  const { request, full, fault, response, requestId, signal } = answering;
  const { events, error } = eventsOf(dialect, request, full);
  response.writeHead(200, {
    ...dialect.headers(requestId),
    'content-type': dialect.streamType,
    'cache-control': 'no-cache',
  });
  const ends =
    fault?.fault === 'break' || fault?.fault === 'stream_error'
      ? Math.min(fault.after, Math.max(0, events.length - 1))
      : fault?.fault === 'truncated'
        ? Math.floor(events.length / 2)
        : events.length;
  for (const event of events.slice(0, ends)) {
    if (signal.aborted) return 'done';
    await inTwo(response, event);
  }
  if (fault?.fault === 'break') {
    await breakOff(response, '');
    return 'broken';
  }
  if (fault?.fault === 'stream_error') response.write(dialect.errorEvent(fault.message ?? null, requestId));
  if (error) response.write(dialect.errorEvent(error, requestId));
  response.end();
  return error !== null || ends < events.length ? 'broken' : 'done';
}

/** What goes wrong while the model writes is told in the stream: its status has been sent. */
function eventsOf(
  dialect: Dialect,
  request: FakeRequest,
  full: FullAnswer,
): { events: string[]; error: string | null } {
  try {
    return { events: dialect.events(request, full), error: null };
  } catch (error) {
    if (error instanceof Refusal) return { events: [], error: error.message };
    throw error;
  }
}

/** An event reaches the client in two pieces, cut anywhere, as a network may do. */
async function inTwo(response: ServerResponse, event: string): Promise<void> {
  const bytes = Buffer.from(event);
  const middle = Math.floor(bytes.length / 2);
  response.write(bytes.subarray(0, middle));
  await turn();
  if (!response.write(bytes.subarray(middle)) && !response.destroyed) await turn();
}

/** The connection ends after what was written has left. */
async function breakOff(response: ServerResponse, before: string): Promise<void> {
  response.flushHeaders();
  if (before !== '') response.write(before);
  await turn();
  await new Promise<void>((resolve) => {
    if (response.socket) response.socket.write('', () => resolve());
    else resolve();
  });
  response.destroy();
}
