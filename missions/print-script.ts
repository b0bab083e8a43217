/** Scripts, and other JSON that travels as text, as a mission file says them. */
import { asFailure, Failure } from '#chassis/failures.ts';
import type { Script, ScriptedCall } from '#schemas/types.gen.ts';

/** The fields `script` and `answer`; none where the model of the role thinks. */
export function scriptFile(script: Script | null): Record<string, unknown> {
  if (script === null) return {};
  return {
    script: script.calls.map(callOf),
    ...(script.answer === '' ? {} : { answer: script.answer }),
  };
}

function callOf({ tool, arguments: given, allow_failure }: ScriptedCall): Record<string, unknown> {
  return { tool, arguments: JSON.parse(given) as unknown, ...(allow_failure ? { allow_failure } : {}) };
}

/** With the arguments of calls as `parseMission` writes them. Throws `invalid_plan` for what is no JSON object. */
export function shortScript(script: Script | null, whose: string): Script | null {
  if (script === null) return null;
  const calls = script.calls.map((call, at) => {
    const where = `script.calls[${at}].arguments ${whose}`;
    const value = jsonIn(call.arguments, where, 'an object');
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const found = call.arguments.slice(0, 60);
      throw new Failure('invalid_plan', `${where}: found ${found}, expected an object`);
    }
    return { ...call, arguments: JSON.stringify(value) };
  });
  return { ...script, calls };
}

/** The shortest JSON text of the same value; nothing stays nothing. Throws `invalid_plan`. */
export const shortJson = (text: string, where: string): string =>
  text === '' ? '' : JSON.stringify(jsonIn(text, where, 'JSON'));

function jsonIn(text: string, where: string, expected: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = asFailure(error);
    throw new Failure('invalid_plan', `${where}: found what is not JSON (${message}), expected ${expected}`);
  }
}

/** What is as if left out is left out. */
export const said = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => !isNothing(value)));

const nothing: readonly unknown[] = ['', null, undefined, false, 0];
const isNothing = (value: unknown): boolean =>
  nothing.includes(value) || (Array.isArray(value) && value.length === 0);
