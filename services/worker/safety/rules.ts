/**
 * Safety rules: a second line behind sandbox and policy, before and after every call of a model and before every tool.
 * They are few and exact; `docs/safety-rules.md` lists them. What comes from tools, files and other agents is quoted as
 * data (`quote.ts`) and fails no task; what looks odd in it is told by `suspicious.ts`.
 */
import type { Scrubber } from '#chassis/secrets.ts';
import type { Turn } from '#worker/models/model.ts';
import { callRules, callSubject } from './call-rules.ts';
import { inputRules, outputRules } from './text-rules.ts';
import { firstOf, type Violation } from './verdict.ts';

export { type Verdict, type Violation, violationFailure } from './verdict.ts';

/** Characters of a whole request: more than any model takes, and than a process should hold for each of its tasks. */
export const MOST_INPUT = 16 * 1024 * 1024;

/**
 * Before a model is called. `turns` are those not checked before, of which the rules read what people and this project
 * say (`user`); `size` is the characters of all.
 */
export function checkInput(
  request: { readonly system: string; readonly turns: readonly Turn[]; readonly size: number },
  mostSize = MOST_INPUT,
): Violation | null {
  const { system, turns, size } = request;
  const said = turns.flatMap((turn) => (turn.role === 'user' ? [turn.text] : [])).join('\n');
  return firstOf('input', inputRules, { system, said, size, mostSize });
}

/** After a model has answered, before anything is made of the answer. The text must be as it came, not scrubbed. */
export function checkOutput(
  answer: { readonly system: string; readonly text: string },
  secrets: Pick<Scrubber, 'finds'>,
): Violation | null {
  return answer.text === '' ? null : firstOf('output', outputRules, { ...answer, secrets });
}

/** Before a tool is called, for each call of an answer. `arguments` is JSON as the model wrote it, not scrubbed. */
export function checkCall(
  call: { readonly tool: string; readonly arguments: string },
  secrets: Pick<Scrubber, 'finds'>,
): Violation | null {
  return firstOf('tool_arguments', callRules, callSubject(call.tool, call.arguments, secrets));
}
