/**
 * A role is one Markdown file: front matter (YAML between two lines of `---`) with its model, tools and limits, and
 * below it the prompt.
 */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { Failure } from '#chassis/failures.ts';
import { expectedBy, foundBy } from '#missions/places.ts';
import { type McpServer, mcpFrontMatter } from './mcp-front-matter.ts';
import { modelFrontMatter, type RoleModel, type Tier, tierFrontMatter } from './model-front-matter.ts';
import { type PolicyRule, policyFrontMatter } from './policy-front-matter.ts';
import { type RoleRetry, retriesFrontMatter } from './retries-front-matter.ts';
import { type SandboxRules, sandboxFrontMatter } from './sandbox-front-matter.ts';

export interface Role {
  readonly name: string;
  readonly description: string;
  /** Null: scripts only, unless the mission or the environment names one. */
  readonly model: RoleModel | null;
  readonly tier: Tier;
  readonly tools: readonly string[];
  /** What it may do with them, and with others; the first rule that matches wins. */
  readonly policy: readonly PolicyRule[];
  /** Servers whose tools it has as well, where its policy allows them. */
  readonly mcp: readonly McpServer[];
  readonly limits: {
    /** The most calls, of models and tools, of one attempt. */
    readonly max_steps: number;
    /** For tasks of mission files that have no timeout of their own; null: as the mission says. */
    readonly timeout_ms: number | null;
    /** Tasks at once in one worker process. */
    readonly concurrency: number;
  };
  /** How its attempts are tried again, where the mission does not say. */
  readonly retries: readonly RoleRetry[];
  /** What commands may do. */
  readonly sandbox: SandboxRules;
  readonly prompt: string;
  /** The first 12 hex digits of the SHA-256 of the file. */
  readonly prompt_version: string;
  /** SHA-256 (hex) of the prompt alone. */
  readonly prompt_hash: string;
}

const frontMatter = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected lower-case letters, digits and _'),
  description: z.string().min(1),
  model: modelFrontMatter.optional(),
  tier: tierFrontMatter,
  tools: z.array(z.string()).default([]),
  policy: policyFrontMatter,
  mcp: mcpFrontMatter,
  limits: z
    .strictObject({
      max_steps: z.int().min(1).max(10_000).default(50),
      // As short and as long as the orchestrator takes it for a task.
      timeout_ms: z.int().min(100).max(86_400_000).nullable().default(null),
      concurrency: z.int().min(1).max(10_000).default(8),
    })
    .prefault({}),
  retries: retriesFrontMatter,
  sandbox: sandboxFrontMatter,
});

/** Reads one role. Throws `invalid_configuration`, listing all that is wrong as `file:line: where: what`. */
export function loadRole(file: string): Role {
  return parseRole(readFileSync(file, 'utf8'), file);
}

export function parseRole(text: string, file: string): Role {
  const bad = (problems: string[]) => new Failure('invalid_configuration', listed(problems).join('\n'));
  const parts = /^---\r?\n(?<yaml>.*?\n)?---[ \t]*(?:\r?\n|$)(?<prompt>.*)$/s.exec(text);
  if (!parts?.groups) {
    throw bad([
      `${file}:1: found no front matter, expected a line "---", YAML, a line "---" and then the prompt`,
    ]);
  }
  const lines = new LineCounter();
  const document = parseDocument(parts.groups['yaml'] ?? '', { lineCounter: lines, prettyErrors: false });
  // The opening "---" is line 1 of the file.
  const lineAt = (offset: number) => lines.linePos(offset).line + 1;
  if (document.errors.length > 0) {
    throw bad(document.errors.map((error) => `${file}:${lineAt(error.pos[0])}: ${error.message}`));
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // Aliases that grow without end.
    throw bad([`${file}:2: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const problems: string[] = [];
  const parsed = frontMatter.safeParse(content ?? {});
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
      const where = `${file}:${lineAt(offsetOf(document, path))}: ${path.join('.') || 'front matter'}`;
      problems.push(`${where}: ${wrongBy(issue, content)}`);
    }
    throw bad(problems);
  }
  const prompt = (parts.groups['prompt'] ?? '').trim();
  const { model = null, ...role } = parsed.data;
  if (role.name !== basename(file, '.md')) {
    const line = lineAt(offsetOf(document, ['name']));
    problems.push(
      `${file}:${line}: name: found ${role.name}, expected ${basename(file, '.md')}, as the file is named`,
    );
  }
  if (prompt === '')
    problems.push(`${file}:${text.split('\n').length}: found no prompt, expected one below the front matter`);
  if (problems.length > 0) throw bad(problems);
  return {
    ...role,
    model,
    prompt,
    prompt_version: hash('sha256', text).slice(0, 12),
    prompt_hash: hash('sha256', prompt),
  };
}

/** What was found and what was expected, in words; some of the issues say it all themselves. */
function wrongBy(issue: z.core.$ZodIssue, content: unknown): string {
  if (issue.code === 'unrecognized_keys') return 'found an unknown key, expected none of that name';
  if (issue.message.startsWith('found ')) return issue.message;
  return `found ${foundBy(issue, content)}, expected ${expectedBy(issue)}`;
}

/** A file of nonsense has a problem at every character. */
const mostProblems = 50;
const longestProblem = 1_000;

function listed(problems: readonly string[]): readonly string[] {
  const shown = problems.slice(0, mostProblems).map((problem) => problem.slice(0, longestProblem));
  const more = problems.length - shown.length;
  return more > 0 ? [...shown, `… and ${more} more`] : shown;
}

/** All roles of a folder, by name. Throws one `invalid_configuration` for all files that are wrong. */
export function loadRoles(folder: string = import.meta.dirname): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  const problems: string[] = [];
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.md')) continue;
    try {
      const role = loadRole(join(folder, file));
      roles.set(role.name, role);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new Failure('invalid_configuration', problems.join('\n'));
  return roles;
}

/** Those of `roles` that a comma-separated list names, or `all`. Throws `role_unknown` naming what it does not find. */
export function selectRoles(roles: ReadonlyMap<string, Role>, list: string): ReadonlyMap<string, Role> {
  if (list.trim() === 'all') return roles;
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const selected = new Map<string, Role>();
  for (const name of names) {
    const role = roles.get(name);
    if (role === undefined) {
      const known = [...roles.keys()].join(', ');
      throw new Failure(
        'role_unknown',
        `--roles: found ${JSON.stringify(name)}, expected all or some of ${known}`,
      );
    }
    selected.set(name, role);
  }
  if (selected.size === 0)
    throw new Failure('role_unknown', '--roles: found no role, expected all or a list');
  return selected;
}

/** Where a value begins, or the nearest thing around it that exists. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const around = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(around)) {
      const pair = around.items.find((item) => String(item.key) === last);
      const key: unknown = pair?.key;
      if (typeof key === 'object' && key !== null && 'range' in key && Array.isArray(key.range))
        return Number(key.range[0]);
    }
    if (isSeq(around) && typeof last === 'number') {
      const item = around.items[last];
      if (isNode(item) && item.range) return item.range[0];
    }
  }
  return 0;
}
