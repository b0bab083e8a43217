import { Failure } from '#chassis/failures.ts';
import type { Amounts, MissionOptions } from '#schemas/types.gen.ts';
import { checkReactions } from './reaction-options.ts';
import { checkRetries } from './retries.ts';

/** What a mission may say of how it is planned; the first is what an empty text means. */
const choices = {
  planner: ['auto', 'model', 'heuristic', 'none'],
  hierarchy: ['none', 'tiers'],
  on_exhausted: ['stop', 'ask', 'cheaper'],
} as const;

const mostAgents = 15;
const mostReplans = 10;
const defaultReplans = 2;
const modelName = /^[a-z][a-z0-9_-]{0,31}\/[^\s]{1,200}$/;

/** The options with their defaults. Throws Failure `invalid_mission` naming the field. */
export function resolveOptions(options: MissionOptions): MissionOptions {
  for (const { role, model } of options.models) {
    if (modelName.test(model)) continue;
    throw invalid(`models${role === '' ? '' : `.${role}`}`, model, 'provider/name, like ollama/llama3.1');
  }
  checkRetries(options);
  checkAmounts(options.budget, 'budget');
  checkAmounts(options.per_task, 'per_task');
  if (options.review !== '' && options.review !== 'plan') {
    throw invalid('review', options.review, 'plan, or nothing');
  }
  checkReactions(options);
  return {
    ...options,
    planner: choice('planner', options.planner),
    hierarchy: choice('hierarchy', options.hierarchy),
    on_exhausted: choice('on_exhausted', options.on_exhausted),
    agents: within('agents', options.agents, mostAgents),
    max_replans: within('max_replans', options.max_replans, mostReplans) || defaultReplans,
  };
}

function choice(field: keyof typeof choices, found: string): string {
  const known: readonly string[] = choices[field];
  if (found === '') return known[0] ?? '';
  if (known.includes(found)) return found;
  throw invalid(field, found, `one of ${known.join(', ')}`);
}

function within(field: string, found: number, most: number): number {
  if (Number.isSafeInteger(found) && found >= 0 && found <= most) return found;
  throw invalid(field, found, `a whole number from 0 to ${most}`);
}

function checkAmounts(amounts: Amounts | null, field: string): void {
  for (const [measure, amount] of Object.entries(amounts ?? {})) {
    if (Number.isSafeInteger(amount) && amount >= -1) continue;
    throw invalid(`${field}.${measure}`, amount, 'a whole number, or -1 for no limit');
  }
}

const invalid = (field: string, found: unknown, expected: string) =>
  new Failure('invalid_mission', `options.${field}: found ${JSON.stringify(found)}, expected ${expected}`);
