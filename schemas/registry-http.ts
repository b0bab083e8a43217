import { Failure } from '#chassis/failures.ts';
import { inTurns } from './in-turns.ts';

/** What we ask a schema registry for. Every request ends within `requestMs` or when the signal says so. */
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
const contentType = 'application/vnd.schemaregistry.v1+json';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Talks Confluent's API, as Redpanda, Apicurio (below /apis/ccompat/v7) and Confluent serve it at `url`. */
export function registryHttp(url: string): RegistryHttp {
  const { base, auth } = addressOf(url);

  async function ask(method: string, path: string, signal: AbortSignal, body?: object): Promise<Answer> {
    const deadline = AbortSignal.timeout(requestMs);
    try {
      const response = await fetch(base + path, {
        method,
        signal: AbortSignal.any([signal, deadline]),
        headers: {
          accept: `${contentType}, application/json`,
          ...(body && { 'content-type': contentType }),
          ...(auth && { authorization: `Basic ${btoa(`${auth.username}:${auth.password}`)}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const answer = { status: response.status, body: parsed(await response.text()) };
      if (answer.status < 400 || answer.status === 404 || answer.status === 409 || answer.status === 422)
        return answer;
      throw unavailable(`${method} ${path} answered ${answer.status}: ${messageOf(answer.body)}`);
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (signal.aborted) throw new Failure('aborted', `${method} ${path} was given up`, { cause: error });
      if (deadline.aborted)
        throw unavailable(`${method} ${path} had no answer within ${requestMs / 1000} s`, error);
      const { cause } = error as { cause?: { code?: string; message?: string } };
      throw unavailable(`${method} ${path}: ${cause?.code ?? cause?.message ?? String(error)}`, error);
    }
  }

  const unavailable = (what: string, cause?: unknown) =>
    new Failure('registry_unavailable', `The schema registry ${base}: ${what}`, { cause });
  const of = (subject: string) => encodeURIComponent(subject);

  return {
    shownUrl: base,
    auth,

    async schemaOf(id, signal) {
      const { status, body } = await ask('GET', `/schemas/ids/${id}`, signal);
      return status === 200 ? String((body as { schema: unknown }).schema) : null;
    },

    async find(subject, text, signal) {
      const { status, body } = await ask('POST', `/subjects/${of(subject)}`, signal, { schema: text });
      if (status !== 200) return null;
      const { id, version } = body as { id: number; version: number };
      return { id, version };
    },

    async compatibilityOf(subject, signal) {
      const { status, body } = await ask('GET', `/config/${of(subject)}`, signal);
      if (status !== 200) return null;
      // Confluent and Redpanda read and write different names for it.
      const { compatibilityLevel, compatibility } = body as {
        compatibilityLevel?: string;
        compatibility?: string;
      };
      return compatibilityLevel ?? compatibility ?? null;
    },

    async setCompatibility(subject, level, signal) {
      const { status, body } = await ask('PUT', `/config/${of(subject)}`, signal, { compatibility: level });
      if (status !== 200) throw unavailable(`PUT /config/${subject} answered ${status}: ${messageOf(body)}`);
    },

    async incompatibility(subject, text, signal) {
      const path = `/compatibility/subjects/${of(subject)}/versions/latest?verbose=true`;
      const { status, body } = await ask('POST', path, signal, { schema: text });
      if (status === 404) return null;
      if (status !== 200) return messageOf(body);
      const { is_compatible, messages } = body as { is_compatible: boolean; messages?: readonly string[] };
      return is_compatible ? null : (messages ?? []).join('; ');
    },

    async versionsOf(subject, signal) {
      const listed = await ask('GET', `/subjects/${of(subject)}/versions`, signal);
      const versions = listed.status === 200 ? (listed.body as readonly number[]) : [];
      return inTurns(versions, async (version) => {
        const { body } = await ask('GET', `/subjects/${of(subject)}/versions/${version}`, signal);
        return (body as { schema: string }).schema;
      });
    },
  };
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}

function messageOf(body: unknown): string {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(body).slice(0, 500);
}
