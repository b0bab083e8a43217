import { hash } from 'node:crypto';
import { asFailure, Failure } from '#chassis/failures.ts';
import { stopPoint } from '#chassis/stop-point.ts';
import type { ToolCall } from '#schemas/types.gen.ts';
import type { AgentParts } from './agent.ts';
import { Awaiting, answerTo } from './awaiting.ts';
import { canonicalArguments, hashOfCall } from './call-hash.ts';
import { HandedOff, handOffIn, handOffTool } from './handed-off.ts';
import type { ToolTurn } from './models/model.ts';
import { callReview, decided, Parked, reconciled, reconcileReview } from './parked.ts';
import { suspicionsOf } from './safety/suspicious.ts';
import { traceToolCall } from './spans.ts';
import type { Effect, PreparedCall, ToolResult } from './tools/tool.ts';

/** The most bytes of one tool's output; a record of the log may have 256 KiB. */
export const outputLimit = 64 * 1024;

/** The tool calls of an attempt: each asked of the policy, journaled, and made once. */
export class ToolSteps {
  readonly #parts: AgentParts;
  readonly #mayGoOn: () => void;
  /** What reviews and idempotency keys of the attempt begin with. */
  readonly #key: string;

  constructor(parts: AgentParts, mayGoOn: () => void) {
    this.#parts = parts;
    this.#mayGoOn = mayGoOn;
    const { mission_id, task_id, attempt } = parts.task;
    this.#key = `${mission_id}/${task_id}/${attempt}`;
  }

  async run(step: number, call: ToolCall): Promise<ToolTurn> {
    const known = this.#parts.recorded.outcomes.get(step);
    if (known) {
      if (known.kind !== 'tool' || known.ended.call_id !== call.id || known.ended.tool !== call.tool) {
        const found = known.kind === 'tool' ? `${known.ended.tool} ${known.ended.call_id}` : 'a model call';
        const expected = `expected ${call.tool} ${call.id}`;
        throw new Failure('ledger_broken', `journal, step ${step}: found ${found}, ${expected}`);
      }
      const { ok, output, code, message } = known.ended;
      return this.#turn(step, call, { ok, output, code, message });
    }
    const reconciled = this.#reconcile(step, call);
    if (reconciled !== null) return this.#make(step, call, reconciled);
    const permitted = this.#permitted(step, prepare(this.#parts.toolbox, call));
    return this.#make(step, call, this.#provided(step, permitted));
  }

  /**
   * What to do about a call that an earlier lease has begun, that must not happen twice, and of which nobody knows
   * whether it happened; null: it is no such call. Throws `Parked` when a person has to say.
   */
  #reconcile(step: number, call: ToolCall): Prepared | null {
    const { task, recorded, toolbox } = this.#parts;
    const { unfinished } = recorded;
    if (unfinished?.kind !== 'tool' || unfinished.step !== step || unfinished.effect !== 'once') return null;
    const answer = reconciled(task.answers, this.#key, unfinished);
    if (answer === null) {
      const reason =
        'it was begun by an agent that died before it said how it ended, and doing it twice may do harm: ' +
        'look whether it happened';
      const review_id = reconcileReview(this.#key, step, task.lease);
      const about = { review_id, kind: 'reconcile', reason, expires_at: 0 };
      throw new Parked({ ...about, ...shown(step, call.tool, call.arguments) });
    }
    const { review_id, decision, comment } = answer;
    if (answer.arguments_hash !== hashOfCall(call.tool, call.arguments)) throw differs(review_id);
    // The effect is still in doubt until an outcome is recorded: a worker that dies before that leaves it so.
    const { effect } = unfinished;
    switch (decision) {
      case 'approved': {
        // The policy has let it begin before: what is approved now is that it begins again.
        const prepared = prepare(toolbox, call);
        return prepared.ok
          ? { ...prepared, call: prepared.call.ask?.approved ?? prepared.call, review_id }
          : { ...prepared, effect, review_id };
      }
      case 'happened': {
        const result = { ok: true, output: comment, truncated: false } as const;
        return { ok: false, result, effect, review_id };
      }
      default: {
        const why = `step ${step}, ${call.tool} ${call.id}: nobody knows whether it happened, and it is not to be done again`;
        throw new Failure('outcome_unknown', comment === '' ? why : `${why} (${comment})`);
      }
    }
  }

  /** The call that may be made, and under which approval. Throws `Parked` when a person has to be asked first. */
  #permitted(step: number, prepared: Prepared): Prepared {
    if (!prepared.ok || prepared.call.ask === undefined) return prepared;
    const { task, now } = this.#parts;
    const { ask, argumentsJson } = prepared.call;
    const review_id = callReview(this.#key, step);
    const answer = decided(task.answers, this.#key, step);
    if (answer === null) {
      const expires_at = ask.expires_ms > 0 ? now() + ask.expires_ms : 0;
      const about = { review_id, kind: 'tool_call', reason: ask.reason, expires_at };
      throw new Parked({ ...about, ...shown(step, prepared.tool, argumentsJson) });
    }
    if (answer.arguments_hash !== ask.hash) throw differs(review_id);
    if (answer.decision === 'approved') return { ...prepared, call: ask.approved, review_id };
    const said = answer.decision === 'expired' ? 'nobody approved it in time' : 'a person said no';
    const message = answer.comment === '' ? said : `${said}: ${answer.comment}`;
    return { ...refusal('rejected', message), review_id };
  }

  /** A call that waits for another task has its answer as its output. Throws `Awaiting` when there is none yet. */
  #provided(step: number, prepared: Prepared): Prepared {
    if (!prepared.ok || prepared.call.requires === undefined) return prepared;
    const { scrubber, task } = this.#parts;
    const requirement = scrubber.value(prepared.call.requires);
    const answer = answerTo(task.answers, requirement, step);
    if (answer === null) throw new Awaiting(requirement, step);
    const { review_id } = prepared;
    if (answer.decision === 'resolved') {
      const result = { ok: true, output: answer.comment, truncated: false } as const;
      return { ok: false, result, effect: 'none', review_id };
    }
    const message = answer.comment || `nothing is left that could provide ${requirement.dependency}`;
    return { ...refusal('dependency_unavailable', message), review_id };
  }

  async #make(step: number, call: ToolCall, prepared: Prepared): Promise<ToolTurn> {
    const { journal, workspace, signal, remaining, scrubber } = this.#parts;
    this.#mayGoOn();
    const effect: Effect = prepared.ok ? prepared.call.effect : prepared.effect;
    const named = { step, call_id: call.id, tool: call.tool };
    const idempotencyKey = `${this.#key}/${step}`;
    journal.append({
      event_type: 'tool_call_started',
      target: call.tool,
      payload: {
        ...named,
        arguments: call.arguments,
        arguments_hash: hash('sha256', call.arguments),
        effect,
        idempotency_key: idempotencyKey,
        review_id: prepared.review_id,
      },
    });
    stopPoint('tool-intended');
    // Without a durable intent, whoever resumes could not know that this effect may have happened. All outcomes before
    // it become durable with it, so that a kill can hide the outcome of one effect at the most: the one in the air.
    if (effect !== 'none') {
      await journal.flush(signal);
      this.#mayGoOn();
    }
    stopPoint('tool-intent');
    const began = performance.now();
    const timeoutMs = Math.max(1, remaining());
    const context = { workspace, signal, timeoutMs, outputLimit, idempotencyKey, step };
    // Throws only when aborted: then nobody knows the outcome, and none is recorded.
    const made: ToolResult = prepared.ok
      ? await traceToolCall({ ...call, effect, step }, () => prepared.call.run(context))
      : prepared.result;
    stopPoint('tool-ran');
    const result = scrubber.value(made);
    const { ok, output, truncated } = result;
    const code = result.ok ? '' : result.code;
    const message = result.ok ? '' : result.message;
    journal.append({
      event_type: 'tool_call_ended',
      target: call.tool,
      payload: {
        ...named,
        ok,
        output,
        truncated,
        code,
        message,
        duration_ms: Math.round(performance.now() - began),
      },
    });
    stopPoint('tool-outcome');
    for (const each of suspicionsOf(`${output}\n${message}`)) {
      this.#parts.suspect?.({ step, from: `tool ${call.tool}`, ...each });
    }
    if (effect === 'once') await this.#outcomeDurable(step, call);
    return this.#turn(step, call, { ok, output, code, message });
  }

  /** What the model is told: output is data of whoever made it. Throws `HandedOff` when there is nothing to go on with. */
  #turn(
    step: number,
    call: ToolCall,
    { ok, output, code, message }: Omit<ToolTurn, 'role' | 'call_id' | 'tool'>,
  ): ToolTurn {
    if (ok && call.tool === handOffTool) throw new HandedOff(handOffIn(output), step);
    return { role: 'tool', call_id: call.id, tool: call.tool, ok, output, code, message };
  }

  /** An effect that happened and could not be recorded must not be tried again by a new attempt. */
  async #outcomeDurable(step: number, call: ToolCall): Promise<void> {
    const { journal, signal } = this.#parts;
    try {
      await journal.flush(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const message = `step ${step}, ${call.tool} ${call.id}, was done and its outcome could not be recorded: ${why}`;
      throw new Failure('outcome_unknown', message, { cause: error });
    }
  }
}

type Prepared = (
  | { readonly ok: true; readonly tool: string; readonly call: PreparedCall }
  /** Nothing is run: this is the outcome. */
  | { readonly ok: false; readonly result: ToolResult; readonly effect: Effect }
) & {
  /** The approval under which it is made; empty: nobody had to be asked. */
  readonly review_id: string;
};

/** The most bytes of arguments that a person is shown; what is decided on is their hash. */
const mostShown = 32 * 1024;

/** The exact call, as the person who is asked sees it. */
function shown(step: number, tool: string, argumentsJson: string) {
  const exact = canonicalArguments(argumentsJson);
  const cut = exact.length > mostShown ? `${exact.slice(0, mostShown)}…` : exact;
  return { step, tool, arguments: cut, arguments_hash: hashOfCall(tool, argumentsJson) };
}

const refusal = (code: string, message: string) =>
  ({
    ok: false,
    result: { ok: false, code, message, output: '', truncated: false },
    effect: 'none',
    review_id: '',
  }) as const;

const differs = (review_id: string) =>
  new Failure('review_differs', `${review_id}: found an answer for other arguments`);

function prepare(toolbox: AgentParts['toolbox'], { tool, arguments: given }: ToolCall): Prepared {
  try {
    return { ok: true, tool, call: toolbox.prepare(tool, given), review_id: '' };
  } catch (error) {
    const { code, message } = asFailure(error);
    return refusal(code, message);
  }
}
