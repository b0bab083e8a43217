import { Failure } from '#chassis/failures.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';
import type { ModelAnswer, StopReason } from './models/model.ts';

/** The most bytes of one answer of a model, with the arguments of its calls; a record of the log may have 256 KiB. */
const answerLimit = 160 * 1024;

/** Throws `invalid_output` for an answer that the loop cannot go on with. */
export function checkedAnswer(answer: ModelAnswer): void {
  if (answer.stop_reason === 'tool_use' && answer.tool_calls.length === 0) {
    throw new Failure('invalid_output', 'the model stopped to use a tool, and named none');
  }
  let size = Buffer.byteLength(answer.text);
  for (const call of answer.tool_calls) size += Buffer.byteLength(call.arguments);
  if (size > answerLimit) {
    throw new Failure('invalid_output', `found an answer of ${size} bytes, expected at most ${answerLimit}`);
  }
}

/** The answer that the journal holds. */
export function answerOf(ended: PayloadOf<'model_call_ended'>): ModelAnswer {
  const { text, tool_calls, stop_reason, usage, code, message, provider, model } = ended;
  return {
    text,
    tool_calls,
    stop_reason: knownStop(stop_reason),
    usage,
    code,
    message,
    by: { provider, model },
  };
}

function knownStop(found: string): StopReason {
  const known: Readonly<Record<StopReason, true>> = {
    tool_use: true,
    end: true,
    gave_up: true,
    length: true,
    refused: true,
  };
  const isKnown = (reason: string): reason is StopReason => Object.hasOwn(known, reason);
  if (isKnown(found)) return found;
  throw new Failure(
    'ledger_broken',
    `journal: found stop_reason ${found}, expected one of ${Object.keys(known).join(', ')}`,
  );
}
