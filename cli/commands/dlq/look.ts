import { withConnection } from '../../connection.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { Invocation } from '../../invocation.ts';
import { type LetterFilter, letterFilter, letterPlace, lettersOf, wantedBy } from '../../letter-filter.ts';
import { letterLines, letterTable } from '../../letter-text.ts';
import { contentOf, letterDocument, readLetters } from '../../letters.ts';

export interface ListOptions extends LetterFilter {
  readonly limit: number;
}

/** Dead letters, the newest last, with what became of them; read from Kafka. */
export async function list(io: Invocation, options: ListOptions): Promise<ExitCode> {
  const { output, signal } = io;
  const found = await withConnection(io, async (connection) => {
    const wanted = letterFilter(options, connection.topics, Date.now());
    const letters = await readLetters(connection, signal, wantedBy(options, Date.now()));
    return letters.filter(wanted);
  });
  const shown = found.slice(-options.limit);
  if (output.json) {
    output.document(shown.map(letterDocument), true);
    return 0;
  }
  if (found.length === 0) output.line('No dead letters.');
  else for (const line of letterTable(shown, output.screen.columns)) output.line(line);
  if (shown.length < found.length) output.note(`${found.length - shown.length} older ones: --limit`);
  return 0;
}

/** One letter: where it is from, why, what was decided, and what it says. */
export async function show(io: Invocation, id: string): Promise<ExitCode> {
  const { output, signal } = io;
  const { letter, content } = await withConnection(io, async (connection) => {
    const [found] = lettersOf([id], await readLetters(connection, signal, letterPlace(id)));
    if (found === undefined) throw new Error('unreachable');
    return { letter: found, content: await contentOf(await connection.codec(), found.bytes, signal) };
  });
  if (output.json) {
    const said = 'name' in content ? { record: content.name, value: content.value } : {};
    const failure = 'failure' in content ? { unreadable: content.failure.message } : {};
    output.document({ ...letterDocument(letter), ...said, ...failure }, true);
  } else for (const line of letterLines(letter, content, output.colors)) output.line(line);
  return 0;
}

/** Letters as JSON, one a line: the record as it came (`original`) and as it would be sent, both in base64. */
export async function exportLetters(
  io: Invocation,
  ids: readonly string[],
  options: LetterFilter,
): Promise<ExitCode> {
  const { output, signal } = io;
  await withConnection(io, async (connection) => {
    const wanted = letterFilter(options, connection.topics, Date.now());
    const all = await readLetters(connection, signal, ids.length > 0 ? 'all' : wantedBy(options, Date.now()));
    const letters = (ids.length > 0 ? lettersOf(ids, all) : all).filter(wanted);
    const codec = await connection.codec();
    for (const letter of letters) {
      const content = await contentOf(codec, letter.bytes, signal);
      const headers = Object.entries(letter.record.headers ?? {}).map(([name, value]) => [
        name,
        String(value),
      ]);
      output.document({
        ...letterDocument(letter),
        headers: Object.fromEntries(headers),
        bytes: letter.bytes.toString('base64'),
        original: letter.record.value?.toString('base64') ?? null,
        ...('name' in content ? { record: content.name, value: content.value } : {}),
      });
    }
    output.note(`${letters.length} letters`);
  });
  return 0;
}
