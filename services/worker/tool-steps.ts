import { hash } from 'node:crypto';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { ToolCall } from '#schemas/types.gen.ts';
import type { AgentParts } from './agent.ts';
import type { ToolTurn } from './models/model.ts';
import { callReview, decided, Parked, reconciled, reconcileReview } from './parked.ts';
import { traceToolCall } from './spans.ts';
import type { Effect, PreparedCall, ToolResult } from './tools/tool.ts';

/** The most bytes of one tool's output; a record of the log may have 256 KiB. */
const outputLimit = 64 * 1024;

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
      return this.#turn(call, { ok, output, code, message });
    }
    const permit = this.#permit(step, call);
    const prepared = permit.refusal === null ? prepare(this.#parts.toolbox, call) : permit.refusal;
    return this.#make(step, call, prepared, permit.review_id);
  }

  /** Whether the call may be made, and under which approval. Throws `Parked` when a person has to say. */
  #permit(step: number, call: ToolCall): Permit {
    const { task, recorded, guardrails } = this.#parts;
    const { unfinished } = recorded;
    const arguments_hash = guardrails.hashOf(call.tool, call.arguments);
    const about = { step, tool: call.tool, arguments: call.arguments, arguments_hash };
    if (unfinished?.kind === 'tool' && unfinished.step === step && unfinished.effect === 'once') {
      const answer = reconciled(task.answers, this.#key, unfinished);
      if (answer === null) {
        const review_id = reconcileReview(this.#key, step, task.lease);
        const reason =
          'it was begun by an agent that died before it said how it ended, and doing it twice may do harm: ' +
          'look whether it happened';
        throw new Parked({ ...about, review_id, kind: 'reconcile', reason, expires_at: 0 });
      }
      if (answer.decision === 'approved') return { refusal: null, review_id: answer.review_id };
      if (answer.decision === 'happened') {
        const happened = { ok: true, output: answer.comment, truncated: false } as const;
        return { refusal: { ok: false, result: happened }, review_id: answer.review_id };
      }
      const why = `step ${step}, ${call.tool} ${call.id}: nobody knows whether it happened, and it is not to be done again`;
      throw new Failure('outcome_unknown', answer.comment === '' ? why : `${why} (${answer.comment})`);
    }
    const { verdict, reason, expires_ms } = guardrails.policy(call.tool, call.arguments);
    switch (verdict) {
      case 'allow':
        return { refusal: null, review_id: '' };
      case 'deny':
        return { refusal: refusal('unauthorized', `${call.tool}: ${reason}`), review_id: '' };
      case 'ask': {
        const answer = decided(task.answers, this.#key, step);
        const review_id = callReview(this.#key, step);
        if (answer === null) {
          const expires_at = expires_ms > 0 ? this.#parts.now() + expires_ms : 0;
          throw new Parked({ ...about, review_id, kind: 'tool_call', reason, expires_at });
        }
        if (answer.arguments_hash !== arguments_hash) {
          throw new Failure('review_differs', `${review_id}: found an answer for other arguments`);
        }
        if (answer.decision === 'approved') return { refusal: null, review_id };
        const said =
          answer.decision === 'expired'
            ? 'nobody approved it in time'
            : `a person said no. ${answer.comment}`;
        return { refusal: refusal('rejected', said.trim()), review_id };
      }
    }
  }

  async #make(step: number, call: ToolCall, prepared: Prepared, review_id: string): Promise<ToolTurn> {
    const { journal, workspace, signal, remaining, guardrails } = this.#parts;
    this.#mayGoOn();
    const effect: Effect = prepared.ok ? prepared.call.effect : 'none';
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
        review_id,
      },
    });
    // Without a durable intent, whoever resumes could not know that this effect may have happened. All outcomes before
    // it become durable with it, so that a kill can hide the outcome of one effect at the most: the one in the air.
    if (effect !== 'none') {
      await journal.flush(signal);
      this.#mayGoOn();
    }
    const began = performance.now();
    const timeoutMs = Math.max(1, remaining());
    const context = { workspace, signal, timeoutMs, outputLimit, idempotencyKey };
    // Throws only when aborted: then nobody knows the outcome, and none is recorded.
    const result = prepared.ok
      ? await traceToolCall({ ...call, effect, step }, () => prepared.call.run(context))
      : prepared.result;
    const { ok, truncated } = result;
    const output = guardrails.scrub(result.output);
    const code = result.ok ? '' : result.code;
    const message = result.ok ? '' : guardrails.scrub(result.message);
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
    if (effect === 'once') await this.#outcomeDurable(step, call);
    return this.#turn(call, { ok, output, code, message });
  }

  /** What the model is told: output is data of whoever made it. */
  #turn(
    call: ToolCall,
    { ok, output, code, message }: Omit<ToolTurn, 'role' | 'call_id' | 'tool'>,
  ): ToolTurn {
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

interface Permit {
  readonly refusal: Extract<Prepared, { readonly ok: false }> | null;
  /** Empty: nobody had to be asked. */
  readonly review_id: string;
}

type Prepared =
  | { readonly ok: true; readonly call: PreparedCall }
  /** Nothing is run: this is the outcome. */
  | { readonly ok: false; readonly result: ToolResult };

const refusal = (code: string, message: string) =>
  ({ ok: false, result: { ok: false, code, message, output: '', truncated: false } }) as const;

function prepare(toolbox: AgentParts['toolbox'], call: ToolCall): Prepared {
  try {
    return { ok: true, call: toolbox.prepare(call.tool, call.arguments) };
  } catch (error) {
    const { code, message } = asFailure(error);
    return refusal(code, message);
  }
}
