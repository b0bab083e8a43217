import { type Command, InvalidArgumentError } from 'commander';
import type { Action } from './program.ts';

type Add = (on: Command, name: string, description: string, action: Action, isDefault?: boolean) => Command;

const exits =
  '\nExits 0 done, 1 not with all of them, 2 usage, 130 interrupted (what was asked for goes on).';

/** `ravenhelm dlq …` */
export function addLetterCommands(dlq: Command, add: Add): void {
  filters(
    add(
      dlq,
      'list',
      'dead letters, the newest last',
      async (io, options) => (await import('./commands/dlq/look.ts')).list(io, options),
      true,
    ),
  ).option('--limit <n>', 'at most so many', most, 100);
  add(dlq, 'show <letter>', 'where it is from, why, what was decided, and what it says', async (io, id) =>
    (await import('./commands/dlq/look.ts')).show(io, id),
  );
  filters(
    add(dlq, 'redrive [letters...]', 'send letters to their topics again', async (io, ids, options) =>
      (await import('./commands/dlq/act.ts')).redrive(io, ids, options),
    ),
  )
    .option('--all', 'all that wait')
    .option('--dry-run', 'change nothing: what would be sent, and which missions and tasks it would wake')
    .option('--rate <n>', 'so many a second (default: as many as go)', rate)
    .option('--force', 'those that are parked, too, and those that came back too often')
    .option('--reason <text>', 'why; kept with the letter')
    .addHelpText('after', exits);
  filters(
    add(dlq, 'archive [letters...]', 'put letters away for good', async (io, ids, options) =>
      (await import('./commands/dlq/act.ts')).archive(io, ids, options),
    ),
  )
    .option('--all', 'all that wait')
    .option('--reason <text>', 'why; kept with the letter')
    .addHelpText('after', exits);
  filters(
    add(
      dlq,
      'park [letters...]',
      'put letters aside: only a forced redrive sends them',
      async (io, ids, options) => (await import('./commands/dlq/act.ts')).park(io, ids, options),
    ),
  )
    .option('--all', 'all that wait')
    .option('--reason <text>', 'why; kept with the letter')
    .addHelpText('after', exits);
  add(dlq, 'edit <letter>', 'change what a letter says; the original stays', async (io, id, options) =>
    (await import('./commands/dlq/act.ts')).edit(io, id, options),
  )
    .option('--file <file>', 'the whole record as JSON, - for standard input (default: in $EDITOR)')
    .option('--as <record>', 'the record that it becomes, when its bytes cannot be read')
    .option('--reason <text>', 'why; kept with the letter')
    .addHelpText('after', exits);
  filters(
    add(dlq, 'export [letters...]', 'letters as JSON lines, bytes in base64', async (io, ids, options) =>
      (await import('./commands/dlq/look.ts')).exportLetters(io, ids, options),
    ),
  );
}

const filters = (command: Command): Command =>
  command
    .option('--code <code>', 'only of this reason, like schema_unknown')
    .option('--topic <topic>', 'only from missions, reports, tasks, or a topic by its name; * is any text')
    .option('--role <role>', 'only assignments of this role')
    .option('--mission <id>', 'only of this mission; * is any text')
    .option('--since <when>', 'only from 90m, 24h or 7d ago, or from a date or time')
    .option('--until <when>', 'only before then')
    .option('--state <state>', 'only new, waiting, redriven, archived or parked');

function most(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 1_000_000) return number;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

function rate(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= 100_000) return number;
  throw new InvalidArgumentError('Expected a number above 0, of letters a second.');
}
