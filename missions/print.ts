/** A plan as a mission file: to be saved, edited and run again. */
import { isDeepStrictEqual } from 'node:util';
import { Document, Scalar, visit } from 'yaml';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { Compensation, Script, ScriptedCall, TaskSpec } from '#schemas/types.gen.ts';
import { type MissionFields, parseMission } from './load.ts';
import { amountsFile } from './options.ts';

/**
 * The mission file (YAML) of a plan. `parseMission` reads the same tasks from it, but for waves, which it derives of the
 * needs again, and arguments of calls, which come back as the shortest JSON text of the same value. A script is written
 * as `tool:` calls. Throws `invalid_plan` where the file could not say the same, naming where: arguments that are no
 * JSON object, or anything else that a mission file does not take.
 */
export function planToMissionFile(
  name: string,
  brief: string,
  tasks: readonly TaskSpec[],
  on_failure = 'fail_fast',
): string {
  const shortest = tasks.map(withShortArguments);
  const document = new Document({
    ...{ name, brief },
    ...(on_failure === 'fail_fast' ? {} : { on_failure }),
    tasks: shortest.map(entryOf),
  });
  visit(document, {
    Scalar(key, node) {
      if (typeof node.value !== 'string') return;
      if (key !== 'key') node.type = styleOf(node.value);
      else if (unseen.test(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // All of them are within double quotes.
  const text = document.toString(layout).replaceAll(new RegExp(unseen, 'gu'), escaped);
  checkSame(text, { name, brief, on_failure, tasks: shortest });
  return text;
}

/** No line is broken where the text has none. */
const layout = { lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER };

/** What an editor does not show, or takes for something else than text. */
const unseen = /[^\P{C}\n\t]|[\u2028\u2029]/u;

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
}

/** Text of several lines as a block; text that an editor would not show, or a reader would change, with escapes. */
function styleOf(text: string): Scalar.Type {
  if (unseen.test(text)) return Scalar.QUOTE_DOUBLE;
  // A block begins with its indentation: what is blank there is safer within quotes.
  if (/^[\n\t ]|[\t ](?:\n|$)/.test(text)) return Scalar.QUOTE_DOUBLE;
  return text.includes('\n') ? Scalar.BLOCK_LITERAL : Scalar.PLAIN;
}

/** A task in the order that people read it; what is as if left out is left out. */
function entryOf(task: TaskSpec): Record<string, unknown> {
  const { id, role, description, needs, wave: _, timeout_ms, max_attempts, script, ...rest } = task;
  // That it is a mission follows from its role.
  const { kind: __, budget, compensation, ...more } = rest;
  const nothing: readonly unknown[] = ['', null, false, 0];
  const said = Object.entries(more).filter(([, value]) => !nothing.includes(value));
  return {
    id,
    role,
    ...(description === '' ? {} : { description }),
    needs,
    ...(timeout_ms === 0 ? {} : { timeout: timeout_ms }),
    ...(max_attempts === 0 ? {} : { max_attempts }),
    ...Object.fromEntries(said),
    ...(budget === null ? {} : { budget: amountsFile(budget) }),
    ...(compensation === null ? {} : { compensation: compensationFile(compensation) }),
    ...(script === null ? {} : { script: script.calls.map(callOf) }),
    ...(script === null || script.answer === '' ? {} : { answer: script.answer }),
  };
}

function compensationFile({ description, script }: Compensation): Record<string, unknown> {
  if (script === null) return { description };
  const answer = script.answer === '' ? {} : { answer: script.answer };
  return { description, script: script.calls.map(callOf), ...answer };
}

function callOf({ tool, arguments: given, allow_failure }: ScriptedCall): Record<string, unknown> {
  return { tool, arguments: JSON.parse(given) as unknown, ...(allow_failure ? { allow_failure } : {}) };
}

/** With the arguments as `parseMission` writes them. Throws `invalid_plan` for what is no JSON object. */
function withShortArguments(task: TaskSpec): TaskSpec {
  const { id, script, compensation } = task;
  const undone =
    compensation === null
      ? null
      : { ...compensation, script: shortScript(compensation.script, `of the compensation of ${id}`) };
  return { ...task, script: shortScript(script, `of ${id}`), compensation: undone };
}

function shortScript(script: Script | null, whose: string): Script | null {
  if (script === null) return null;
  const calls = script.calls.map((call, at) => {
    const where = `script.calls[${at}].arguments ${whose}`;
    let value: unknown;
    try {
      value = JSON.parse(call.arguments);
    } catch (error) {
      const { message } = asFailure(error);
      throw new Failure('invalid_plan', `${where}: found what is not JSON (${message}), expected an object`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const found = call.arguments.slice(0, 60);
      throw new Failure('invalid_plan', `${where}: found ${found}, expected an object`);
    }
    return { ...call, arguments: JSON.stringify(value) };
  });
  return { ...script, calls };
}

/** Reading it is the only proof that it can be read. */
function checkSame(
  text: string,
  { name, brief, on_failure, tasks }: Pick<MissionFields, 'name' | 'brief' | 'on_failure' | 'tasks'>,
): void {
  const refuse = (what: string) =>
    new Failure('invalid_plan', `the plan cannot be said in a mission file: ${what}`);
  let read: ReturnType<typeof parseMission>;
  try {
    read = parseMission(text, 'line');
  } catch (error) {
    throw refuse(asFailure(error).message);
  }
  if (read.name !== name || read.brief !== brief) throw refuse('its name or brief would be another');
  if (read.on_failure !== on_failure) throw refuse(`on_failure would be ${read.on_failure}`);
  const differs = tasks.find(
    (task, at) => !isDeepStrictEqual(read.tasks[at], { ...task, kind: '', wave: 0 }),
  );
  if (differs) throw refuse(`task ${differs.id} would be another`);
}
