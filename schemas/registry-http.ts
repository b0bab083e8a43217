import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { inTurns } from './in-turns.ts';

/**
 * What we ask a schema registry for. What may pass (429, 5xx, no connection) is asked again a few times; every request
 * ends within `requestMs` or when the signal says so. An answer that is not the registry's (the page of a proxy, a
 * login) is Failure `registry_unavailable`, whatever its status.
 */
export interface RegistryHttp {
  /** Without user and password: fit for messages. */
  readonly shownUrl: string;
  readonly auth: { readonly username: string; readonly password: string } | undefined;
  /** The JSON of an id, or null when the registry has none. */
  schemaOf(id: number, signal: AbortSignal): Promise<string | null>;
  /** Id and version of exactly this schema in the subject, or null. */
  find(subject: string, text: string, signal: AbortSignal): Promise<{ id: number; version: number } | null>;
  /** The level set for this very subject, or null when it follows the registry's default or does not exist. */
  compatibilityOf(subject: string, signal: AbortSignal): Promise<string | null>;
  setCompatibility(subject: string, level: string, signal: AbortSignal): Promise<void>;
  /** Why the schema may not follow the subject's versions, which may be ''; null when it may, or none are there. */
  incompatibility(subject: string, text: string, signal: AbortSignal): Promise<string | null>;
  /** The JSON of all versions, oldest first. */
  versionsOf(subject: string, signal: AbortSignal): Promise<string[]>;
}

const requestMs = 10_000;
/** Pauses before it is asked again, in milliseconds: three seconds in all. */
const pauses = [100, 200, 400, 800, 1500];
const longestPauseMs = 3000;
const passing: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const contentType = 'application/vnd.schemaregistry.v1+json';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A schema's id goes into every record that is written with it. */
export const SchemaId = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const FoundSchema = z.object({ id: SchemaId, version: z.int().min(1) });
const SchemaText = z.object({ schema: z.string() });
/** Confluent and Redpanda read and write different names for it. */
const Level = z.union([
  z.object({ compatibilityLevel: z.string() }).transform(({ compatibilityLevel }) => compatibilityLevel),
  z.object({ compatibility: z.string() }).transform(({ compatibility }) => compatibility),
]);
const Verdict = z.object({ is_compatible: z.boolean(), messages: z.array(z.string()).nullish() });
const Versions = z.array(z.int());
/** How a registry says no. A proxy's page has no such number. */
const Refused = z.object({ error_code: z.number(), message: z.string().nullish() });

/** It may pass: asked again. */
class Passing extends Failure {
  readonly afterMs: number;

  constructor(message: string, afterMs: number, cause?: unknown) {
    super('registry_unavailable', message, { cause });
    this.afterMs = afterMs;
  }
}

/** Talks Confluent's API, as Redpanda, Apicurio (below /apis/ccompat/v7) and Confluent serve it at `url`. */
export function registryHttp(url: string): RegistryHttp {
  const { base, auth } = addressOf(url);

  async function ask(method: string, path: string, signal: AbortSignal, body?: object): Promise<Answer> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
    for (let tries = 0; ; tries++) {
      try {
        return await askOnce(method, path, until, body);
      } catch (error) {
        if (signal.aborted) throw new Failure('aborted', `${method} ${path} was given up`, { cause: error });
        const pause = pauses[tries];
        if (!(error instanceof Passing) || pause === undefined || until.aborted) throw error;
        await sleep(Math.max(pause, error.afterMs), undefined, { signal: until }).catch(() => undefined);
        if (until.aborted) throw error;
      }
    }
  }

  async function askOnce(method: string, path: string, signal: AbortSignal, body?: object): Promise<Answer> {
    const what = `${method} ${path}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(base + path, {
        method,
        signal,
        headers: {
          accept: `${contentType}, application/json`,
          ...(body && { 'content-type': contentType }),
          ...(auth && { authorization: `Basic ${btoa(`${auth.username}:${auth.password}`)}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      if (signal.aborted) throw unavailable(`${what} had no answer within ${requestMs / 1000} s`, error);
      const { cause } = error as { cause?: { code?: string; message?: string } };
      throw new Passing(sayOf(`${what}: ${cause?.code ?? cause?.message ?? String(error)}`), 0, error);
    }
    const { status } = response;
    if (passing.has(status))
      throw new Passing(sayOf(`${what} answered ${status}: ${shown(text)}`), afterMs(response));
    const answer = { status, body: parsed(text) };
    if (answer.body === undefined)
      throw unavailable(`${what} answered ${status} with what is not JSON: ${shown(text)}`);
    if (status === 200) return answer;
    const refused = Refused.safeParse(answer.body).success;
    if (refused && (status === 404 || status === 409 || status === 422)) return answer;
    throw unavailable(`${what} answered ${status}: ${messageOf(answer.body)}`);
  }

  /** The body, as the registry writes it. Throws Failure `registry_unavailable` when it is something else. */
  function read<T>(shape: z.ZodType<T>, what: string, { status, body }: Answer): T {
    const found = shape.safeParse(body);
    if (status === 200 && found.success) return found.data;
    throw unavailable(
      `${what} answered ${status} with what no registry says: ${JSON.stringify(body).slice(0, 200)}`,
    );
  }

  const sayOf = (what: string) => `The schema registry ${base}: ${what}`;
  const unavailable = (what: string, cause?: unknown) =>
    new Failure('registry_unavailable', sayOf(what), { cause });
  const of = (subject: string) => encodeURIComponent(subject);

  return {
    shownUrl: base,
    auth,

    async schemaOf(id, signal) {
      const answer = await ask('GET', `/schemas/ids/${id}`, signal);
      return answer.status === 404 ? null : read(SchemaText, `schema ${id}`, answer).schema;
    },

    async find(subject, text, signal) {
      const answer = await ask('POST', `/subjects/${of(subject)}`, signal, { schema: text });
      return answer.status === 404 ? null : read(FoundSchema, `POST /subjects/${subject}`, answer);
    },

    async compatibilityOf(subject, signal) {
      const answer = await ask('GET', `/config/${of(subject)}`, signal);
      return answer.status === 404 ? null : read(Level, `GET /config/${subject}`, answer);
    },

    async setCompatibility(subject, level, signal) {
      const answer = await ask('PUT', `/config/${of(subject)}`, signal, { compatibility: level });
      if (answer.status !== 200)
        throw unavailable(`PUT /config/${subject} answered ${answer.status}: ${messageOf(answer.body)}`);
      read(Level, `PUT /config/${subject}`, answer);
    },

    async incompatibility(subject, text, signal) {
      const path = `/compatibility/subjects/${of(subject)}/versions/latest?verbose=true`;
      const answer = await ask('POST', path, signal, { schema: text });
      if (answer.status === 404) return null;
      if (answer.status !== 200) return messageOf(answer.body);
      const { is_compatible, messages } = read(Verdict, `POST ${path}`, answer);
      return is_compatible ? null : (messages ?? []).join('; ');
    },

    async versionsOf(subject, signal) {
      const path = `/subjects/${of(subject)}/versions`;
      const listed = await ask('GET', path, signal);
      const versions = listed.status === 404 ? [] : read(Versions, `GET ${path}`, listed);
      return inTurns(versions, async (version) => {
        const answer = await ask('GET', `${path}/${version}`, signal);
        return read(SchemaText, `GET ${path}/${version}`, answer).schema;
      });
    },
  };
}

/** How long the registry asks to be left alone. */
function afterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, longestPauseMs) : 0;
}

/** fetch takes no user and password in a URL: they become a header. */
function addressOf(url: string): { base: string; auth: RegistryHttp['auth'] } {
  if (!URL.canParse(url))
    throw new Failure(
      'invalid_configuration',
      'The schema registry: found no URL, expected http(s)://host:port',
    );
  const parts = new URL(url);
  const { username, password } = parts;
  parts.username = '';
  parts.password = '';
  const auth =
    username === ''
      ? undefined
      : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { base: parts.href.replace(/\/+$/, ''), auth };
}

/** Undefined: it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const shown = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 200) || 'nothing';

function messageOf(body: unknown): string {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(body).slice(0, 500);
}
