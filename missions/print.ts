/** A mission as a mission file: to be saved, edited and run again. */
import { isDeepStrictEqual } from 'node:util';
import { Document, Scalar, visit } from 'yaml';
import { asFailure, Failure } from '#chassis/failures.ts';
import { noOptions } from '#schemas/mission-command.ts';
import type { Compensation, TaskSpec } from '#schemas/types.gen.ts';
import { type MissionFields, parseMission } from './load.ts';
import { amountsFile } from './options.ts';
import { withShortJson } from './print-reactions.ts';
import { said, scriptFile, shortScript } from './print-script.ts';
import { optionsAgain, settingsFile } from './print-settings.ts';

/**
 * The mission file (YAML) of a mission. `parseMission` reads the same mission from it, but for waves, which it derives
 * of the needs again; what files of roles say, which is looked up again; and arguments of calls and other JSON, which
 * come back as the shortest text of the same value. A script is written as `tool:` calls. Throws `invalid_plan` where
 * the file could not say the same, naming where: arguments that are no JSON object, or anything else that a mission
 * file does not take.
 */
export function missionToFile(mission: MissionFields): string {
  const { name, brief, priority, limits, on_failure } = mission;
  const tasks = mission.tasks.map(withShortArguments);
  const options = withShortJson(mission.options ?? noOptions);
  const document = new Document({
    ...{ name, brief },
    ...(priority === 'normal' ? {} : { priority }),
    ...(on_failure === 'fail_fast' ? {} : { on_failure }),
    ...settingsFile(limits, options),
    ...(tasks.length === 0 ? {} : { tasks: tasks.map(entryOf) }),
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
  checkSame(text, { ...mission, tasks, options: optionsAgain(options) });
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
  return {
    id,
    role,
    ...(description === '' ? {} : { description }),
    needs,
    ...(timeout_ms === 0 ? {} : { timeout: timeout_ms }),
    ...(max_attempts === 0 ? {} : { max_attempts }),
    ...said(more),
    ...(budget === null ? {} : { budget: amountsFile(budget) }),
    ...(compensation === null ? {} : { compensation: compensationFile(compensation) }),
    ...scriptFile(script),
  };
}

const compensationFile = ({ description, script }: Compensation): Record<string, unknown> => ({
  description,
  ...scriptFile(script),
});

/** With the arguments as `parseMission` writes them. Throws `invalid_plan` for what is no JSON object. */
function withShortArguments(task: TaskSpec): TaskSpec {
  const { id, script, compensation } = task;
  const undone =
    compensation === null
      ? null
      : { ...compensation, script: shortScript(compensation.script, `of the compensation of ${id}`) };
  return { ...task, script: shortScript(script, `of ${id}`), compensation: undone };
}

/** Reading it is the only proof that it can be read. */
function checkSame(text: string, mission: MissionFields): void {
  const refuse = (what: string) =>
    new Failure('invalid_plan', `the mission cannot be said in a mission file: ${what}`);
  let read: MissionFields;
  try {
    read = parseMission(text, 'line');
  } catch (error) {
    throw refuse(asFailure(error).message);
  }
  const { tasks, options, ...rest } = mission;
  for (const [field, value] of [...Object.entries(rest), ...Object.entries(options ?? {})]) {
    const found: Readonly<Record<string, unknown>> = { ...read.options, ...read };
    if (!isDeepStrictEqual(found[field], value)) throw refuse(`${field} would be another`);
  }
  const differs = tasks.find(
    (task, at) => !isDeepStrictEqual(read.tasks[at], { ...task, kind: '', wave: 0 }),
  );
  if (differs) throw refuse(`task ${differs.id} would be another`);
}
