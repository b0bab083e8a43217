/**
 * What an agent may do: allow, ask or deny, decided from the rules of its role file and from nothing else. No text
 * that a model, a tool or a file says can change it.
 *
 * 1. Arguments that no tool would take are denied.
 * 2. The first rule wins whose tool is the call's and whose `when` holds. A rule that allows needs a certain yes for
 *    each argument that it names; one that asks or denies is met unless one of them is a certain no. So an argument
 *    that is missing never opens a door, nor leaves one open. (`policy-pattern.ts` has the table.)
 * 3. Without a rule, what is listed in the role's `tools` is allowed if it stays within the squad: the terminal, the
 *    workspace, and what roles share and say to each other. A role that has a rule allowing some calls of such a tool has
 *    said which: its other calls are denied. Everything else, tools of MCP servers first of all, is denied.
 *
 * Rules that deny some commands and allow the rest are no fence: a shell has endless ways to say the same. Allow what
 * is known to be needed.
 */
import { asFailure } from '#chassis/failures.ts';
import type { PolicyRule } from '#roles/policy-front-matter.ts';
import { parseArguments } from './call-hash.ts';
import { compileGlob } from './linear-regex.ts';
import { type Answer, and, compilePattern } from './policy-pattern.ts';
import { insightToolNames } from './tools/insights.ts';
import { squadToolNames } from './tools/squad.ts';
import { components } from './workspace.ts';

export interface Decision {
  readonly verdict: 'allow' | 'ask' | 'deny';
  /** Number of the rule in the role file, from 0; null when no rule decided. */
  readonly rule: number | null;
  /** For a person, and for the model of a call that was denied (as `unauthorized`). */
  readonly reason: string;
  /** How long a person has for an answer; only of `ask`. */
  readonly expires_ms?: number;
}

/** Allowed without a rule when the role lists them. */
const withinTheSquad: ReadonlySet<string> = new Set([
  'execute_terminal_command',
  'workspace_read',
  'workspace_write',
  'workspace_list',
  ...insightToolNames,
  ...squadToolNames,
]);

/**
 * Decides about one call. `argumentsJson` has to be what the tool will get, so that of a prepared call its
 * `argumentsJson` (defaults filled in); `listed` is the role's `tools`. Pure; never throws.
 */
export function decidePolicy(
  rules: readonly PolicyRule[],
  tool: string,
  argumentsJson: string,
  listed: readonly string[],
): Decision {
  let args: Readonly<Record<string, unknown>>;
  try {
    args = parseArguments(argumentsJson);
  } catch (error) {
    return { verdict: 'deny', rule: null, reason: `${tool}: ${asFailure(error).message}` };
  }
  let allowedInPart = false;
  for (const [number, rule] of rules.entries()) {
    const compiled = compile(rule);
    if (!compiled.tool(tool)) continue;
    allowedInPart ||= rule.then === 'allow';
    const answer = compiled.conditions.reduce<Answer>(
      (sum, { path, match }) => and(sum, match(valueAt(args, tool, path), isShell(tool, path))),
      'yes',
    );
    if (rule.then === 'allow' ? answer !== 'yes' : answer === 'no') continue;
    const reason = rule.reason ?? standing(rule, number);
    return rule.expires_ms === null
      ? { verdict: rule.then, rule: number, reason }
      : { verdict: rule.then, rule: number, reason, expires_ms: rule.expires_ms };
  }
  return withoutRule(tool, listed, allowedInPart);
}

/** Whether any call of the tool could be allowed, or asked about: what cannot is not shown to a model. */
export function isReachable(rules: readonly PolicyRule[], tool: string, listed: readonly string[]): boolean {
  for (const rule of rules) {
    if (!compile(rule).tool(tool)) continue;
    if (rule.then !== 'deny') return true;
    if (rule.when === undefined) return false;
  }
  return withoutRule(tool, listed, false).verdict === 'allow';
}

function withoutRule(tool: string, listed: readonly string[], allowedInPart: boolean): Decision {
  const deny = (reason: string): Decision => ({ verdict: 'deny', rule: null, reason });
  if (!withinTheSquad.has(tool)) return deny(`no rule of the role allows ${tool}`);
  if (!listed.includes(tool)) return deny(`${tool} is not among the role's tools`);
  if (allowedInPart) return deny(`the role allows some calls of ${tool}, and this is none of them`);
  return { verdict: 'allow', rule: null, reason: `${tool} is among the role's tools` };
}

const standing = (rule: PolicyRule, number: number): string => {
  const verb = { allow: 'allows', ask: 'asks a person about', deny: 'denies' }[rule.then];
  return `rule ${number + 1} of the role ${verb} this call`;
};

interface CompiledRule {
  readonly tool: (name: string) => boolean;
  readonly conditions: readonly {
    readonly path: string;
    readonly match: ReturnType<typeof compilePattern>;
  }[];
}

const compiledRules = new WeakMap<PolicyRule, CompiledRule>();

function compile(rule: PolicyRule): CompiledRule {
  let compiled = compiledRules.get(rule);
  if (!compiled) {
    const conditions = Object.entries(rule.when ?? {}).map(([path, pattern]) => ({
      path,
      match: compilePattern(pattern),
    }));
    compiled = { tool: compileGlob(rule.tool), conditions };
    compiledRules.set(rule, compiled);
  }
  return compiled;
}

const isShell = (tool: string, path: string): boolean =>
  tool === 'execute_terminal_command' && path === 'command';

/** What the path leads to, through own properties and indexes alone; undefined: missing. */
function valueAt(args: Readonly<Record<string, unknown>>, tool: string, path: string): unknown {
  let value: unknown = args;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return tool.startsWith('workspace_') && path === 'path' ? plainPath(value) : value;
}

/** `./certs//ca.crt` is `certs/ca.crt` to the workspace, and so to a rule; the workspace itself is `.`. */
function plainPath(path: unknown): unknown {
  if (typeof path !== 'string') return path;
  try {
    return components(path).join('/') || '.';
  } catch {
    // The workspace refuses it: no rule can be sure of it.
    return undefined;
  }
}
