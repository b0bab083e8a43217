import { Command, InvalidArgumentError, Option } from 'commander';
import { type BrokerCount, brokerCounts } from '#local/brokers.ts';
import type { ExitCode } from './exit-code.ts';
import type { Invocation } from './invocation.ts';
import { addLetterCommands } from './letter-commands.ts';
import { addMissionFlags } from './mission-flags.ts';

export type Action = (io: Invocation, ...args: never[]) => Promise<ExitCode>;
type Wrap = (
  action: (io: Invocation, ...args: unknown[]) => Promise<ExitCode>,
) => (...args: unknown[]) => Promise<void>;

const answerCodes = '\nExits 0 answered, 1 refused (answered before, expired, its mission over), 2 usage.';

/** Every command, in the order in which help lists them. */
export function commands(wrap: Wrap): Command {
  const program = new Command('ravenhelm')
    .description('Swarms of AI agents on a Kafka log.')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => undefined })
    .helpCommand(true);
  const command = (
    on: Command,
    name: string,
    description: string,
    action: Action,
    isDefault = false,
  ): Command =>
    on
      .command(name, { isDefault })
      .description(description)
      .option('--json', 'machine-readable output: one JSON document, or one per line')
      .action(wrap(action as (io: Invocation, ...args: unknown[]) => Promise<ExitCode>));
  const add = (name: string, description: string, action: Action) =>
    command(program, name, description, action);
  const group = (name: string, description: string) => program.command(name).description(description);

  program.commandsGroup('On this machine:');
  add(
    'up',
    'start Kafka, registry, PostgreSQL and all services, and wait until they are ready',
    async (io, options) => (await import('./commands/up.ts')).up(io, options),
  )
    .option('--no-services', 'only the stack, the schemas and the topics')
    .option('--brokers <n>', 'brokers of a new stack: 1 (default) or 3; it keeps the number', brokerCount)
    .option('--workers <n>', 'worker processes (default 1)', count)
    .option('--orchestrators <n>', 'orchestrator processes (default 1)', count)
    .option('--correlators <n>', 'correlator processes (default 1)', count)
    .option('--retriers <n>', 'retrier processes (default 1)', count)
    .option('--free-ports', 'random ports instead of the default ones')
    .option('--jars <folder>', 'where downloaded jars are kept (default .ravenhelm/jars)');
  add('down', 'stop what `up` started; data stay', async (io, options) =>
    (await import('./commands/down.ts')).down(io, options),
  ).option('--volumes', 'delete the data, too');
  add('status', 'what runs, and where; exits 1 when not all of it is ready', async (io) =>
    (await import('./commands/status.ts')).status(io),
  );
  add(
    'logs [name]',
    'the logs of a service or of a component of the stack, or of all',
    async (io, name, options) => (await import('./commands/logs.ts')).logs(io, name, options),
  )
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --lines <n>', 'how many of the last lines', lineCount, 40);
  add('doctor', 'check what Ravenhelm needs, and say what to do', async (io) =>
    (await import('./commands/doctor.ts')).doctor(io),
  );

  program.commandsGroup('Missions:');
  addMissionFlags(
    add(
      'run <mission>',
      'submit a mission file, - or a brief in quotes, and follow it to its end',
      async (io, mission, options) => (await import('./commands/run.ts')).run(io, mission, options),
    )
      .option('--id <id>', 'the id of the mission (default: a new UUID)')
      .option('--plain', 'a line per fact, also on a terminal'),
  )
    .option('--save <file>', 'with --plan-only: write the mission with its plan as a mission file')
    .option('--force', 'overwrite the file of --save')
    .option('--mermaid', 'with --plan-only: print the plan as a Mermaid drawing')
    .addHelpText(
      'after',
      '\nWhat is said here counts more than the mission file. Exits 0 completed, 1 failed or cancelled, 2 refused,\n' +
        '130 interrupted (the mission goes on); with --plan-only 0 when there is a plan, else 1.',
    );
  addMissionFlags(
    add(
      'submit <mission>',
      'submit a mission file, - or a brief, and print its id',
      async (io, mission, options) => (await import('./commands/submit.ts')).submit(io, mission, options),
    ).option('--id <id>', 'the id of the mission (default: a new UUID)'),
  );
  add('cancel <id>', 'cancel a mission', async (io, id, options) =>
    (await import('./commands/submit.ts')).cancel(io, id, options),
  ).option('--reason <text>', 'why');
  add(
    'emit <mission> <name>',
    'put an event onto the ledger of a mission that runs; what subscribes to it reacts',
    async (io, id, name, options) => (await import('./commands/emit.ts')).emit(io, id, name, options),
  )
    .option('--data <json>', 'what filters and templates find under data')
    .option('--topic <name>', 'a dotted name that filters can match')
    .addOption(
      new Option('--severity <severity>', 'how bad it is (default info)').choices([
        ...['info', 'warning', 'error', 'critical'],
      ]),
    );
  add(
    'watch [id]',
    'a line per fact as it comes: of one mission to its end, or of all',
    async (io, id, options) => (await import('./commands/watch.ts')).watch(io, id, options),
  ).option('--from-start', 'from the beginning of the ledger');
  add('missions', 'missions, newest first', async (io, options) =>
    (await import('./commands/missions.ts')).missions(io, options),
  )
    .option(
      '--status <status>',
      'only planning, running, compensating, suspended, completed, failed, cancelled or rejected',
    )
    .option('--limit <n>', 'at most so many', count, 20);
  add('mission <id>', 'one mission with its tasks and attempts', async (io, id) =>
    (await import('./commands/missions.ts')).mission(io, id),
  );
  add('tasks', 'tasks, newest first', async (io, options) =>
    (await import('./commands/missions.ts')).tasks(io, options),
  )
    .option('--mission <id>', 'only of this mission')
    .option('--role <role>', 'only of this role')
    .option(
      '--status <status>',
      'only pending, assigned, running, parked, waiting, completed, failed or cancelled',
    );
  add('reviews', 'what waits for a person', async (io, options) =>
    (await import('./commands/reviews.ts')).reviews(io, options),
  )
    .option('--mission <id>', 'only of this mission')
    .option('--all', 'those that wait no more, too');
  add(
    'approve <review>',
    'say yes to what waits; the beginning of its id is enough',
    async (io, id, options) => (await import('./commands/answer.ts')).approve(io, id, options),
  )
    .option('--comment <text>', 'told to the agent')
    .option(
      '--happened',
      'of kind reconcile: the call was made, the comment is its output; of kind compensation: it was undone by hand',
    )
    .option('--cheaper', 'of kind budget: go on with the cheaper models')
    .addHelpText('after', answerCodes);
  add('reject <review>', 'say no to what waits', async (io, id, options) =>
    (await import('./commands/answer.ts')).reject(io, id, options),
  )
    .option('--comment <text>', 'why; told to the agent')
    .addHelpText('after', answerCodes);
  add(
    'cost [mission]',
    'what model calls have cost: of a mission by task, or of all by role, model or day (UTC)',
    async (io, mission, options) => (await import('./commands/cost.ts')).cost(io, mission, options),
  )
    .addOption(new Option('--by <what>', 'add up by this').choices(['task', 'role', 'model', 'day']))
    .option('--since <when>', 'only calls since 90m, 24h or 7d ago, or since a date or time');
  add(
    'agents',
    'agents and services: who is there, what they are doing, and who is lost',
    async (io, options) => (await import('./commands/agents.ts')).agents(io, options),
  ).option('--all', 'those that are long gone, too');

  program.commandsGroup('The ledger:');
  add('events <id>', 'every fact of a mission, read from Kafka', async (io, id) =>
    (await import('./commands/events.ts')).events(io, id),
  );
  add(
    'timeline <id>',
    'who told whom what, when and why: of a mission, and of all that it comes from or that comes from it',
    async (io, id, options) => (await import('./commands/timeline.ts')).timeline(io, id, options),
  )
    .option('--tree', 'what led to what, one below the other')
    .option('--mermaid', 'print it as a Mermaid drawing: who tells whom, with --tree what led to what')
    .option('--alone', 'only this mission: the rest of the ledger is not looked through')
    .option('--since <when>', 'only facts since 90m, 24h or 7d ago, or since a date or time')
    .option('--types <types>', 'only of these event types, with commas between; * stands for any text');
  add(
    'verify [id]',
    'recompute hash chain, decisions and journals; exits 1 when anything differs',
    async (io, id, options) => (await import('./commands/verify.ts')).verify(io, id, options),
  ).option('--all', 'of all missions');
  add('rebuild', 'fold the ledger into PostgreSQL anew, and swap it in', async (io, options) =>
    (await import('./commands/rebuild.ts')).rebuild(io, options),
  ).option('--check', 'change nothing: compare what would be built with what is there');

  addLetterCommands(group('dlq', 'dead letters: what nobody could process'), command);

  program.commandsGroup('Set-up:');
  const topics = group('topics', 'the topic table');
  command(
    topics,
    'list',
    'what flows where',
    async (io) => (await import('./commands/topics.ts')).list(io),
    true,
  );
  command(topics, 'diff', 'where the brokers differ from the table', async (io) =>
    (await import('./commands/topics.ts')).diff(io),
  );
  command(topics, 'apply', 'create and mend topics', async (io) =>
    (await import('./commands/topics.ts')).applyAll(io),
  );
  command(topics, 'acls', 'what each service has to be allowed, and no more', async (io, options) =>
    (await import('./commands/topics.ts')).acls(io, options),
  )
    .option('--apply', 'allow it; exits 1 when the brokers have no authorizer')
    .option('--principal-prefix <text>', 'what principals begin with, before the consumer group', 'User:');
  const aggregators = group('aggregators', 'aggregators and subscriptions that stand for every mission');
  command(
    aggregators,
    'list',
    'what stands for every mission',
    async (io) => (await import('./commands/aggregators.ts')).list(io),
    true,
  );
  command(aggregators, 'apply <file>', 'make what a file says hold for every mission', async (io, file) =>
    (await import('./commands/aggregators.ts')).apply(io, file),
  );
  command(aggregators, 'remove <name>', 'take one away', async (io, name) =>
    (await import('./commands/aggregators.ts')).remove(io, name),
  );
  command(
    aggregators,
    'status <mission>',
    'how far those of a mission are, and who is missing',
    async (io, id) => (await import('./commands/join-status.ts')).status(io, id),
  );
  const schemas = group('schemas', 'the schemas in the registry');
  command(
    schemas,
    'list',
    'our schemas, and whether the registry has them',
    async (io) => (await import('./commands/schemas.ts')).list(io),
    true,
  );
  command(schemas, 'check', 'exit 1 when the registry is not in step', async (io) =>
    (await import('./commands/schemas.ts')).check(io),
  );
  command(schemas, 'register', 'register all, or none when one is refused', async (io) =>
    (await import('./commands/schemas.ts')).register(io),
  );
  const roles = group('roles', 'what roles there are, who runs them and how they do');
  command(roles, 'list', 'all roles', async (io) => (await import('./commands/roles.ts')).list(io), true);
  command(roles, 'show <name>', 'one role with its prompt', async (io, name) =>
    (await import('./commands/roles.ts')).show(io, name),
  );
  return program;
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 10_000) return number;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

function brokerCount(text: string): BrokerCount {
  const found = brokerCounts.find((number) => String(number) === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError('Expected 1 or 3.');
}

function lineCount(text: string): number {
  return text === '0' ? 0 : count(text);
}
