import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import registryClient from '@kafkajs/confluent-schema-registry';
import { Failure } from '#chassis/failures.ts';
import { type CatalogEntry, catalog, compatibility, subjectOf } from './catalog.ts';
import { incompatibilities } from './compatibility.ts';
import { inTurns } from './in-turns.ts';
import type { RegistryOptions } from './registry.ts';
import { type RegistryHttp, registryHttp, SchemaId } from './registry-http.ts';

export interface RegisteredSchema {
  readonly subject: string;
  readonly id: number;
  readonly outcome: 'registered' | 'unchanged';
}

export interface RegisterOptions extends RegistryOptions {
  readonly entries?: readonly CatalogEntry[];
  readonly progress?: (state: {
    readonly subject: string;
    readonly done: number;
    readonly total: number;
  }) => void;
}

/**
 * Registers all schemas, or none: what the registry would refuse is found before anything is written. Throws Failure
 * schema_incompatible with every subject and the registry's reasons.
 */
export async function registerAll(options: RegisterOptions): Promise<RegisteredSchema[]> {
  const { url, missionsSubject, signal, entries = catalog, progress } = options;
  const http = registryHttp(url);
  const plans = await inTurns(entries, async (entry) => {
    const subject = subjectOf(entry, missionsSubject);
    // The level first: it decides what the check and the registration allow.
    const level = await http.compatibilityOf(subject, signal);
    if (level !== null && level !== compatibility) {
      await despiteOthers(signal, async () => {
        if ((await http.compatibilityOf(subject, signal)) === compatibility) return;
        await http.setCompatibility(subject, compatibility, signal);
      });
    }
    const found = await http.find(subject, entry.text, signal);
    const refused = found === null ? await whyRefused(http, subject, entry, signal) : null;
    return { entry, subject, level, found, refused };
  });
  const refused = plans.flatMap(({ subject, refused }) =>
    refused === null ? [] : [`${subject}: ${refused}`],
  );
  if (refused.length > 0)
    throw new Failure('schema_incompatible', `The registry refuses ${refused.join('\n')}`);

  let done = 0;
  return withClient(http, signal, (client) =>
    inTurns(plans, async ({ entry, subject, level, found }) => {
      const id = await despiteOthers(signal, async (again) => {
        const known = again ? await http.find(subject, entry.text, signal) : found;
        const registered = known ?? (await register(client, subject, entry, signal));
        // A subject without a level of its own follows the registry's default: not strict enough. Of a new one the
        // client has set it.
        const set = again ? await http.compatibilityOf(subject, signal) : level;
        if (known !== null && set !== compatibility)
          await http.setCompatibility(subject, compatibility, signal);
        return registered.id;
      });
      progress?.({ subject, done: ++done, total: plans.length });
      return { subject, id, outcome: found === null ? 'registered' : 'unchanged' };
    }),
  );
}

const mostTries = 6;

/**
 * Somebody else may be registering the same schemas at the same moment; each of our two steps then fails because it
 * is done already, or half done. So what fails is looked at and tried again, a few times.
 */
async function despiteOthers<T>(signal: AbortSignal, act: (again: boolean) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act(tries > 1);
    } catch (error) {
      if (tries >= mostTries || signal.aborted) throw error;
      await sleep(50 * 2 ** tries, undefined, { signal });
    }
  }
}

/** What the registry says, or what we find ourselves where it says only no (Apicurio does). */
async function whyRefused(http: RegistryHttp, subject: string, entry: CatalogEntry, signal: AbortSignal) {
  const said = await http.incompatibility(subject, entry.text, signal);
  if (said !== '') return said;
  const versions = await http.versionsOf(subject, signal);
  const found = versions.flatMap((text) => incompatibilities([{ path: subject, text }], [{ ...entry }]));
  const reasons = new Set(found.map(({ field, reason }) => `${field} ${reason}`));
  return [...reasons].join('; ') || 'it gives no reason';
}

type Client = registryClient.SchemaRegistry;

async function register(client: Client, subject: string, entry: CatalogEntry, signal: AbortSignal) {
  const { SchemaType, COMPATIBILITY } = registryClient;
  try {
    const schema = { type: SchemaType.AVRO, schema: entry.text } as const;
    const registered = await client.register(schema, {
      subject,
      compatibility: COMPATIBILITY[compatibility],
    });
    return { id: SchemaId.parse(registered.id) };
  } catch (error) {
    if (signal.aborted) throw new Failure('aborted', `registering ${subject} was given up`, { cause: error });
    const reason = error instanceof Error ? error.message : String(error);
    const { status } = error as { readonly status?: number };
    // 409 and 422 despite the check: somebody registered another version meanwhile, or the schema is not valid there.
    const code = status === 409 || status === 422 ? 'schema_incompatible' : 'registry_unavailable';
    throw new Failure(code, `${subject}: ${reason}`, { cause: error });
  }
}

/** The client takes no AbortSignal: its sockets are cut instead, and nothing is left open afterwards. */
async function withClient<T>(
  http: RegistryHttp,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const AgentOfUrl = http.shownUrl.startsWith('https:') ? HttpsAgent : HttpAgent;
  const agent = new AgentOfUrl({ keepAlive: true, timeout: 10_000 });
  const cut = () => agent.destroy();
  signal.addEventListener('abort', cut);
  try {
    const { shownUrl: host, auth } = http;
    return await use(
      new registryClient.SchemaRegistry({ host, agent, retry: { retries: 0 }, ...(auth && { auth }) }),
    );
  } finally {
    signal.removeEventListener('abort', cut);
    cut();
  }
}
