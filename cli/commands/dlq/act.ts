import { readConfig } from '#chassis/config.ts';
import { Failure } from '#chassis/failures.ts';
import { readRetryPolicy } from '#chassis/retry-policy-file.ts';
import type { Action } from '#retrier/decide.ts';
import type { LetterEvent } from '#retrier/letter-events.ts';
import { decisionOf } from '#retrier/letter-fold.ts';
import { catalog } from '#schemas/catalog.ts';
import type { RecordName } from '#schemas/types.gen.ts';
import { type Connection, withConnection } from '../../connection.ts';
import type { ExitCode } from '../../exit-code.ts';
import { oneLine } from '../../format.ts';
import type { Invocation } from '../../invocation.ts';
import { editedText, readEdit } from '../../letter-edit.ts';
import {
  isFiltered,
  type LetterFilter,
  letterFilter,
  letterPlace,
  lettersOf,
  wantedBy,
} from '../../letter-filter.ts';
import { untilRecorded } from '../../letter-recorded.ts';
import { askFor } from '../../letter-requests.ts';
import { contentOf, type LetterView, readLetters, type Wanted } from '../../letters.ts';
import { serviceEnvironment } from '../../place.ts';
import { showSteps } from '../../steps.ts';
import { redriveLines, redrivePlan } from './redrive-plan.ts';

export interface ActOptions extends LetterFilter {
  readonly all?: boolean;
  readonly reason?: string;
}

export interface RedriveOptions extends ActOptions {
  readonly dryRun?: boolean;
  readonly rate?: number;
  readonly force?: boolean;
}

/** Sends letters again. Exits 1 when not all that were meant were sent. */
export async function redrive(
  io: Invocation,
  ids: readonly string[],
  options: RedriveOptions,
): Promise<ExitCode> {
  const { output, signal, env } = io;
  return withConnection(io, async (connection) => {
    const letters = await chosen(connection, ids, options, signal);
    if (options.dryRun !== true) {
      const { rate = 0, force = false } = options;
      return act(io, connection, letters, { action: 'redrive', rate, force, reason: options.reason ?? '' });
    }
    const config = readConfig(serviceEnvironment(connection.place, connection.address, env));
    const { redrives } = readRetryPolicy(config.RAVENHELM_RETRY_POLICY);
    const plan = await redrivePlan(connection, letters, options.force ?? false, redrives, signal);
    if (output.json) output.document(plan, true);
    else for (const line of redriveLines(plan, output.screen.columns)) output.line(line);
    return 0;
  });
}

/** Puts letters away for good. */
export async function archive(
  io: Invocation,
  ids: readonly string[],
  options: ActOptions,
): Promise<ExitCode> {
  return withConnection(io, async (connection) => {
    const letters = await chosen(connection, ids, options, io.signal);
    return act(io, connection, letters, { action: 'archive', reason: options.reason ?? '' });
  });
}

/** Puts letters aside: a redrive leaves them alone unless it is forced. */
export async function park(io: Invocation, ids: readonly string[], options: ActOptions): Promise<ExitCode> {
  return withConnection(io, async (connection) => {
    const letters = await chosen(connection, ids, options, io.signal);
    return act(io, connection, letters, { action: 'park', reason: options.reason ?? '' });
  });
}

export interface EditOptions {
  readonly file?: string;
  readonly as?: string;
  readonly reason?: string;
}

/** Changes what a letter says; the bytes as they came stay on the topic. */
export async function edit(io: Invocation, id: string, options: EditOptions): Promise<ExitCode> {
  const { output, signal, env } = io;
  const name = recordName(options.as);
  return withConnection(io, async (connection) => {
    const [letter] = await settled(connection, signal, letterPlace(id), (letters) =>
      lettersOf([id], letters),
    );
    if (letter === undefined) throw new Error('unreachable');
    const codec = await connection.codec();
    const content = await contentOf(codec, letter.bytes, signal);
    const otherwise = name ?? (letter.topic === connection.topics.missions ? 'MissionCommand' : undefined);
    const before = 'name' in content ? `${JSON.stringify(content.value, null, 2)}\n` : '{}\n';
    const { bytes, difference } = readEdit(
      await editedText(before, options.file, env),
      content,
      otherwise,
      codec,
    );
    if (!output.json) for (const line of difference) output.line(`  ${oneLine(line, 400)}`);
    return act(io, connection, [letter], {
      action: 'edit',
      reason: options.reason ?? '',
      edit: { original_hash: letter.hash, bytes, difference: difference.join('\n').slice(0, 8000) },
    });
  });
}

function recordName(name: string | undefined): RecordName | undefined {
  if (name === undefined) return undefined;
  const found = catalog.find((entry) => entry.name === name);
  if (found !== undefined) return found.name;
  throw new Failure(
    'invalid_arguments',
    `--as: found ${JSON.stringify(name)}, expected a record of \`ravenhelm schemas list\`, like TaskCompleted`,
  );
}

/** The letters that are meant: by their ids, or by what they have in common. Settled ones only by their ids. */
async function chosen(
  connection: Connection,
  ids: readonly string[],
  options: ActOptions & { readonly force?: boolean },
  signal: AbortSignal,
): Promise<LetterView[]> {
  if (ids.length === 0 && options.all !== true && !isFiltered(options)) {
    throw new Failure(
      'invalid_arguments',
      'nothing says which letters are meant: expected ids, a filter, or --all',
    );
  }
  const now = Date.now();
  const wanted = letterFilter(options, connection.topics, now);
  if (ids.length > 0)
    return settled(connection, signal, 'all', (letters) => lettersOf(ids, letters).filter(wanted));
  const open = (letter: LetterView) =>
    letter.state === 'waiting' ||
    letter.state === 'new' ||
    (letter.state === 'parked' && (options.force === true || options.state === 'parked'));
  return settled(connection, signal, wantedBy(options, now), (letters) =>
    letters.filter((letter) => wanted(letter) && open(letter)),
  );
}

/** Those of the letters that are meant, as they are when the retrier has read them, too. */
async function settled(
  connection: Connection,
  signal: AbortSignal,
  wanted: Wanted,
  meant: (letters: readonly LetterView[]) => LetterView[],
): Promise<LetterView[]> {
  const letters = meant(await readLetters(connection, signal, wanted));
  const waited = await untilRecorded(connection, letters, signal);
  return waited ? meant(await readLetters(connection, signal, wanted)) : letters;
}

const past: Readonly<Record<Action, LetterEvent['event_type']>> = {
  redrive: 'dead_letter_redriven',
  archive: 'dead_letter_archived',
  edit: 'dead_letter_edited',
  park: 'dead_letter_parked',
};

async function act(
  { output, signal }: Invocation,
  connection: Connection,
  letters: readonly LetterView[],
  ask: Parameters<typeof askFor>[2],
): Promise<ExitCode> {
  if (letters.length === 0) {
    if (output.json) output.document({ action: ask.action, letters: 0, done: 0, others: [] }, true);
    else output.line('No such dead letters.');
    return 0;
  }
  const show = showSteps(output);
  const step = ask.action;
  show.report({ step, state: 'start' });
  let answered = 0;
  let done = false;
  try {
    const answers = await askFor(connection, letters, ask, signal, () => {
      answered += 1;
      show.report({ step, state: 'progress', done: answered, total: letters.length });
    });
    const others = answers.filter(({ event_type }) => event_type !== past[ask.action]);
    done = true;
    show.report({ step, state: 'done', note: `${answers.length - others.length} of ${letters.length}` });
    show.end();
    if (output.json) {
      const told = others.map((event) => ({ id: event.payload.dead_letter_id, ...decisionOf(event) }));
      const count = answers.length - others.length;
      output.document({ action: ask.action, letters: letters.length, done: count, others: told }, true);
    } else {
      output.line(`${past[ask.action].replace('dead_letter_', '')}: ${answers.length - others.length}`);
      for (const event of others) {
        const { what, reason, detail } = decisionOf(event);
        output.line(`${event.payload.dead_letter_id} ${what}: ${oneLine(`${reason} ${detail}`.trim(), 400)}`);
      }
    }
    return others.length === 0 ? 0 : 1;
  } finally {
    if (!done) {
      show.report({ step, state: 'failed' });
      show.end();
    }
  }
}
