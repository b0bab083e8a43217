import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Failure } from '#chassis/failures.ts';
import { entryOfEvent } from '#schemas/catalog.ts';
import type { Codec } from '#schemas/codec.ts';
import type { RecordName, Records } from '#schemas/types.gen.ts';
import { jsonDifference } from './json-difference.ts';
import type { Content } from './letters.ts';

const mostBytes = 256 * 1024;

/** What a person makes of a letter: from a file, `-` for standard input, or in their editor. */
export async function editedText(
  before: string,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  if (file === '-') return text(process.stdin);
  if (file !== undefined) return readText(file);
  const editor = env['VISUAL'] || env['EDITOR'];
  if (editor === undefined || process.stdin.isTTY !== true) {
    const expected = 'expected --file FILE, --file - for standard input, or EDITOR and a terminal';
    throw new Failure('invalid_arguments', `nothing says what the letter becomes: ${expected}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'ravenhelm-letter-'));
  try {
    const path = join(folder, 'letter.json');
    writeFileSync(path, before, { mode: 0o600 });
    const { status } = spawnSync('sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' });
    if (status !== 0)
      throw new Failure('aborted', `${editor} ended with ${status ?? 'a signal'}; nothing is changed`);
    return readText(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_arguments', `--file: ${path} cannot be read: ${why}`, { cause });
  }
}

export interface Edit {
  readonly bytes: Buffer;
  /** What changed, for people. */
  readonly difference: readonly string[];
}

/**
 * The record that a JSON text says, checked against its schema. Throws `invalid_arguments` that names the field.
 *
 * @param otherwise The record that it is when neither the letter nor its event_type tells.
 */
export function readEdit(
  json: string,
  before: Content,
  otherwise: RecordName | undefined,
  codec: Codec,
): Edit {
  const value = parse(json);
  const type = 'event_type' in value ? String(value.event_type) : '';
  const name = 'name' in before ? (before.name as RecordName) : (otherwise ?? entryOfEvent(type)?.name);
  if (name === undefined) {
    const expected = 'expected an event_type that there is, or --as with the name of a record';
    throw invalid(`event_type: found ${JSON.stringify(type)}, ${expected}`);
  }
  let bytes: Buffer;
  try {
    bytes = codec.encodeRecord(name, value as Records[typeof name]);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  // What the schema does not have would be left out in silence.
  const kept: object = codec.decode(bytes).value;
  const [lost] = jsonDifference(value, kept).filter((line) => !line.includes(': nothing → '));
  if (lost !== undefined) throw invalid(`${name}.${lost}: its schema does not have this`);
  if (bytes.length > mostBytes) throw invalid(`found ${bytes.length} bytes, expected at most ${mostBytes}`);
  const difference =
    'name' in before ? jsonDifference(before.value, kept) : [`${name}, of bytes that could not be read`];
  if (difference.length === 0) throw invalid('found no change');
  return { bytes, difference };
}

function parse(json: string): object {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid(`found ${Array.isArray(value) ? 'a list' : typeof value}, expected a JSON object`);
}

const invalid = (what: string) => new Failure('invalid_arguments', `the edited letter: ${what}`);
