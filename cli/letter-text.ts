import { dateTime, oneLine } from './format.ts';
import type { Content, LetterView } from './letters.ts';
import type { Colors } from './output.ts';
import { type Cell, table } from './table.ts';

export function letterTable(letters: readonly LetterView[], columns?: number): string[] {
  const rows = letters.map(
    ({ id, state, failed_at, code, topic, mission, task, redrives, message }): Cell[] => [
      ...[id, state, dateTime(failed_at), code, topic],
      oneLine(task === '' ? mission : `${mission}/${task}`, 60),
      redrives,
      oneLine(message, 200),
    ],
  );
  const headings = ['letter', 'state', 'failed', 'code', 'topic', 'mission/task', 'redrives', 'why'];
  return table(headings, rows, columns);
}

/** All of a letter as a person reads it. */
export function letterLines(letter: LetterView, content: Content, colors: Colors): string[] {
  const { id, state, code, message, topic, topic_partition, topic_offset, decided } = letter;
  const field = (name: string, value: string | number | null) =>
    value === null || value === '' ? [] : [`  ${colors.dim(name.padEnd(10))} ${value}`];
  const history = decided.map(({ what, by, reason, at, detail }) => {
    const why = [reason, detail].filter((text) => text !== '').map((text) => oneLine(text, 300));
    return `  ${dateTime(at)}  ${what}${by === '' ? '' : ` by ${oneLine(by, 80)}`}${why.length > 0 ? `: ${why.join('; ')}` : ''}`;
  });
  return [
    `${colors.bold(id)}  ${state}`,
    ...field('code', code),
    ...field('why', oneLine(message, 1000)),
    ...field('from', `${topic}/${topic_partition ?? '?'}/${topic_offset ?? '?'}`),
    ...field('service', `${letter.service} ${letter.code_version}`.trim()),
    ...field('attempts', letter.attempts),
    ...field('redrives', letter.redrives),
    ...field('key', letter.key === null ? null : oneLine(letter.key, 200)),
    ...field('mission', oneLine(letter.mission)),
    ...field('task', oneLine(letter.task)),
    ...field('role', oneLine(letter.role)),
    ...field('event', oneLine(`${letter.event_type} ${letter.event_id}`.trim())),
    ...field('schema', letter.schema_id),
    ...field('bytes', letter.bytes.length),
    ...field('produced', dateTime(letter.produced_at)),
    ...field('failed', dateTime(letter.failed_at)),
    ...field('trace', oneLine(letter.traceparent)),
    ...(history.length > 0 ? ['', ...history] : []),
    '',
    ...contentLines(letter, content),
  ];
}

const mostHex = 512;

function contentLines({ bytes }: LetterView, content: Content): string[] {
  if ('name' in content) return [`${content.name} ${JSON.stringify(content.value, null, 2)}`];
  const hex = bytes.toString('hex', 0, mostHex);
  const more = bytes.length > mostHex ? ` … (${bytes.length - mostHex} more)` : '';
  return [`cannot be read: ${oneLine(content.failure.message, 500)}`, `${hex}${more}`];
}
