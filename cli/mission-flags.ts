import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Priority } from '#schemas/types.gen.ts';

/** What `run` and `submit` say of a mission on the command line; see `mission-options.ts`. */
export interface MissionFlags {
  readonly planOnly?: boolean;
  readonly planner?: string;
  readonly agents?: number;
  readonly hierarchy?: string;
  readonly review?: string;
  readonly model?: readonly RoleFlag[];
  readonly budgetTokens?: number;
  /** US dollars. */
  readonly budgetUsd?: number;
  readonly budgetCalls?: number;
  readonly atLimit?: string;
  readonly onFailure?: string;
  readonly priority?: Priority;
  /** The id of a task. */
  readonly failAt?: string;
}

export interface RoleFlag {
  /** Empty: every role that is not named. */
  readonly role: string;
  /** provider/name. */
  readonly model: string;
}

const mostAgents = 15;
const mostUsd = 1_000_000;

/** Adds the options; commander names the option that is wrong, what was found, and then our words. */
export function addMissionFlags(command: Command): Command {
  const oneOf = (flag: string, description: string, ...choices: string[]) =>
    command.addOption(new Option(flag, description).choices(choices));
  command.option('--plan-only', 'make the plan, print it, and stop');
  oneOf('--planner <who>', 'who plans a brief (default auto)', 'auto', 'model', 'heuristic');
  command.option('--agents <n>', 'tasks that the planner without a model aims at', agents);
  oneOf('--hierarchy <which>', 'synthesizers and an executive over the tasks, or not', 'none', 'tiers');
  oneOf('--review <what>', 'wait for a person to approve it', 'plan');
  command.option('--model <model>', '[role=]provider/name; may be given again', model);
  command.option('--budget-tokens <n>', 'the most tokens of all model calls', whole);
  command.option('--budget-usd <x>', 'the most that all model calls may cost', usd);
  command.option('--budget-calls <n>', 'the most model calls', whole);
  oneOf('--at-limit <what>', 'when the budget does not reach (default stop)', 'stop', 'ask', 'cheaper');
  oneOf(
    '--on-failure <what>',
    'what a failed task does to the rest (default fail_fast)',
    ...['fail_fast', 'continue', 'replan', 'compensate', 'suspend'],
  );
  oneOf('--priority <which>', 'what is dispatched first (default normal)', 'high', 'normal', 'low');
  command.option('--fail-at <task>', 'a drill: this task fails before it does anything');
  return command;
}

function whole(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('Expected a whole number from 0.');
}

function agents(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= mostAgents) return number;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${mostAgents}.`);
}

function usd(text: string): number {
  const number = Number(text);
  if (/^\d*\.?\d+$/.test(text) && number <= mostUsd) return number;
  throw new InvalidArgumentError(`Expected US dollars from 0 to ${mostUsd}, like 2.50.`);
}

const providers = ['anthropic', 'openai', 'ollama'];
const expectedModel = `Expected provider/name or role=provider/name, the provider one of ${providers.join(', ')}.`;

/** The last word about a role counts. */
function model(text: string, before: readonly RoleFlag[] = []): readonly RoleFlag[] {
  const {
    role = '',
    provider = '',
    name = '',
  } = /^(?:(?<role>[a-z][a-z0-9_]*)=)?(?<provider>[a-z]+)\/(?<name>\S{1,200})$/.exec(text)?.groups ?? {};
  if (name === '' || !providers.includes(provider)) throw new InvalidArgumentError(expectedModel);
  const said: RoleFlag = { role: role === 'default' ? '' : role, model: `${provider}/${name}` };
  return [...before.filter((each) => each.role !== said.role), said];
}
