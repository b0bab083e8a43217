import { catalog, compatibility, subjectOf } from './catalog.ts';
import { inTurns } from './in-turns.ts';
import { registryHttp } from './registry-http.ts';

export interface RegistryOptions {
  readonly url: string;
  /** `<prefix>.missions-value`: the one subject that is named after a topic. */
  readonly missionsSubject: string;
  readonly signal: AbortSignal;
}

export interface ListedSchema {
  readonly subject: string;
  /** Null when our schema is not registered there, though an older version may be. */
  readonly id: number | null;
  readonly version: number | null;
  /** The level set for the subject; null: the default of the registry. */
  readonly compatibility: string | null;
  /** Registered as we have it, with the level that we ask for. */
  readonly in_step: boolean;
}

/** What the registry has of our schemas, in the order of their files. */
export async function listSchemas({
  url,
  missionsSubject,
  signal,
}: RegistryOptions): Promise<ListedSchema[]> {
  const http = registryHttp(url);
  return inTurns(catalog, async (entry) => {
    const subject = subjectOf(entry, missionsSubject);
    const found = await http.find(subject, entry.text, signal);
    const level = await http.compatibilityOf(subject, signal);
    const in_step = found !== null && level === compatibility;
    return { subject, id: found?.id ?? null, version: found?.version ?? null, compatibility: level, in_step };
  });
}
