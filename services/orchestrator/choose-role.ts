import { Failure } from '#chassis/failures.ts';
import type { GeneralRole } from './strategies.ts';
import { contentWords, stem } from './words.ts';

export interface RoleName {
  readonly name: string;
  readonly description?: string;
}

/** They plan and bring results together; the work itself is never theirs. */
const never: ReadonlySet<string> = new Set(['orchestrator', 'drummer', 'camina']);
const general: readonly GeneralRole[] = ['researcher', 'analyst', 'developer'];

/** A word of the description that only one role has, in the part that the brief named, is enough. */
const enough = 2;

/** What a brief may say for what a role is called. */
const meanings: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    cert: 'tls ssl https certificate certificates pki',
    observability: 'monitoring monitor metrics grafana prometheus logging tracing',
    secrets: 'password passwords token tokens credential credentials vault',
    cache: 'redis memcached caching',
    database: 'sql postgres postgresql mysql sqlite db',
    proxy: 'nginx haproxy ingress gateway routing',
    docker: 'container containers compose image images',
    events: 'kafka redpanda queue queues messaging',
    rag: 'retrieval embedding embeddings index',
    env: 'environment configuration settings config',
    graph: 'dependencies dependency',
  }).flatMap(([role, words]) => words.split(' ').map((word) => [stem(word), [stem(role)]] as const)),
);

export interface RoleChoice {
  readonly role: string;
  /** False: no role has words of this task, and this is the one for such a case. */
  readonly fits: boolean;
}

/**
 * Chooses the role of a task by the words it shares with names (three times) and descriptions of the roles; a word that
 * more roles have counts less, one of `about` counts twice. Not enough words: the general role of the task's kind, then
 * `researcher`, `analyst`, `developer`, whichever is the first to exist, then the role with most words after all. Among
 * equals the first by name, so the order of `roles` says nothing. Throws `role_unknown` where no role is left to work.
 */
export function roleChooser(
  roles: readonly RoleName[],
): (goal: string, about: string, kind: GeneralRole) => RoleChoice {
  const byName = new Map<string, Map<string, number>>();
  for (const { name, description = '' } of roles) {
    if (never.has(name)) continue;
    const words = byName.get(name) ?? new Map<string, number>();
    for (const word of contentWords(description)) words.set(word, Math.max(1, words.get(word) ?? 0));
    for (const word of contentWords(name.replaceAll(/[._-]/g, ' '))) words.set(word, 3);
    byName.set(name, words);
  }
  const names = [...byName.keys()].sort();
  const [first] = names;
  if (first === undefined) {
    const found = roles.length === 0 ? 'none' : roles.map(({ name }) => name).join(', ');
    throw new Failure(
      'role_unknown',
      `roles: found ${found}, expected at least one that does the work itself`,
    );
  }
  const owners = new Map<string, number>();
  for (const words of byName.values()) {
    for (const word of words.keys()) owners.set(word, (owners.get(word) ?? 0) + 1);
  }
  const specialists = names.filter((name) => !general.some((other) => other === name));
  return (goal, about, kind) => {
    const weights = new Map<string, number>();
    const put = (text: string, weight: number) => {
      for (const word of contentWords(text)) {
        for (const said of [word, ...(meanings.get(word) ?? [])]) weights.set(said, weight);
      }
    };
    put(goal, 1);
    put(about, 2);
    let best = { name: first, score: 0 };
    for (const name of specialists) {
      let score = 0;
      for (const [word, weight] of weights) {
        score += ((byName.get(name)?.get(word) ?? 0) * weight) / (owners.get(word) ?? 1);
      }
      if (score > best.score) best = { name, score };
    }
    if (best.score >= enough) return { role: best.name, fits: true };
    const fallback = [kind, ...general].find((name) => byName.has(name));
    return fallback === undefined ? { role: best.name, fits: false } : { role: fallback, fits: true };
  };
}
