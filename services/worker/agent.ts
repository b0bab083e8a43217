/**
 * The agent loop of one task: model → tools → model … until the model ends. The context is fresh: the role's prompt,
 * the task, the results that it needs, and nothing of any other task.
 *
 * Every call is a step of the journal. A step whose outcome earlier leases have recorded is not made again; one that
 * was begun and whose outcome nobody knows is made again, unless its effect must not happen twice.
 */
import { asFailure, Failure, isFailureCode } from '#chassis/failures.ts';
import type { Scrubber } from '#chassis/secrets.ts';
import { stopPoint } from '#chassis/stop-point.ts';
import type { Amounts, NeedResult, ReviewAnswer, ToolCall, Usage } from '#schemas/types.gen.ts';
import { addUsage, noUsage, tokensOf } from '#schemas/usage.ts';
import { nextCall, usageOfLost } from './allotment.ts';
import type { AnswerSpec } from './answer-spec.ts';
import { Conversation, firstMessage } from './conversation.ts';
import type { Journal } from './journal.ts';
import type { Recorded } from './journal-fold.ts';
import { answerOf, checkedAnswer } from './model-answer.ts';
import type { Model, ModelAnswer, ModelRequest, ToolTurn } from './models/model.ts';
import { mayHaveBeenPaid } from './models/provider-failure.ts';
import { boundResult } from './result.ts';
import { checkCall, checkInput, checkOutput, type Violation } from './safety/rules.ts';
import { type Suspicion, suspicionsOf } from './safety/suspicious.ts';
import { ToolSteps } from './tool-steps.ts';
import type { Toolbox } from './tools/toolbox.ts';
import { Violated, violationIn, violationText } from './violated.ts';
import type { Workspace } from './workspace.ts';

/** Answers that do not fit are sent back this often, with what was wrong. */
const mostRepairs = 1;

export interface AgentTask {
  readonly mission_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease: number;
  readonly description: string;
  readonly needs: readonly NeedResult[];
  /** What others have left for the task: the event it reacts to, a hand-off, a checkpoint; empty: nothing. */
  readonly context: string;
  /** What the attempt may use up; null: nothing limits it. */
  readonly budget: Amounts | null;
  /** What people have said to calls of this attempt. */
  readonly answers: readonly ReviewAnswer[];
}

export interface AgentParts {
  readonly task: AgentTask;
  readonly prompt: { readonly text: string; readonly version: string; readonly hash: string };
  readonly model: Model;
  readonly settings: { readonly temperature: number | null; readonly maxOutputTokens: number };
  /** What the answer has to look like; null: any text. */
  readonly answer: AnswerSpec | null;
  readonly toolbox: Toolbox;
  /** Takes secrets out of all that is said to a model or recorded. */
  readonly scrubber: Scrubber;
  /** The most calls that a model which is not finite may make. */
  readonly maxSteps: number;
  readonly journal: Journal;
  /** What earlier leases of this attempt have done. */
  readonly recorded: Recorded;
  readonly workspace: Workspace;
  /** Aborted when the task must stop, whatever for. */
  readonly signal: AbortSignal;
  /** Throws `lease_lost` when the lease is too old to begin an effect under it. */
  readonly guard: () => void;
  /** Milliseconds left for the attempt. */
  readonly remaining: () => number;
  /** Epoch ms. */
  readonly now: () => number;
  /** Is told of data that looks like an attempt on the agent; such data fails nothing. */
  readonly suspect?: (found: Suspected) => void;
}

export interface Suspected extends Suspicion {
  /** Of the tool call that gave the data; 0: it was there from the beginning. */
  readonly step: number;
  readonly from: string;
}

export class Agent {
  readonly #parts: AgentParts;
  readonly #conversation: Conversation;
  readonly #tools: ToolSteps;
  #steps = 0;
  /** Turns that the rules for input have seen. */
  #checked = 0;
  #usage: Usage = noUsage;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { prompt, toolbox, answer: spec } = parts;
    this.#conversation = new Conversation(prompt, {
      hash: toolbox.hash,
      // The model reads the schema of its answer as well.
      text: JSON.stringify([toolbox.schemas, spec?.schema]),
    });
    this.#tools = new ToolSteps(parts, () => this.#mayGoOn());
    // Calls of earlier leases that nobody has heard of may have been paid for.
    for (const most of parts.recorded.lost) this.#usage = addUsage(this.#usage, usageOfLost(most));
  }

  /** Calls of this attempt so far, those of earlier leases included. */
  get steps(): number {
    return this.#steps;
  }

  get usage(): Usage {
    return this.#usage;
  }

  /**
   * The result. Throws a Failure, `Parked` when a person has to decide first, `Awaiting` when another task has to
   * provide something, `HandedOff` when the task is another role's now, `Violated` when a safety rule refuses, or the
   * signal's reason when it is aborted.
   */
  async run(): Promise<string> {
    const { task, workspace, answer: spec, scrubber, suspect } = this.#parts;
    for (const { task_id, result } of task.needs) {
      for (const each of suspicionsOf(result)) suspect?.({ step: 0, from: `task ${task_id}`, ...each });
    }
    for (const each of suspicionsOf(task.context)) suspect?.({ step: 0, from: 'the context', ...each });
    // Before it is quoted, as a quote that is changed afterwards is a forged one; and after it, to be sure.
    const { task_id, description, needs, context } = task;
    const first = firstMessage(scrubber.value({ task_id, description, needs, context }));
    this.#conversation.say({ role: 'user', text: scrubber.text(first) });
    for (let repairs = 0; ; ) {
      const answer = await this.#askModel();
      switch (answer.stop_reason) {
        case 'end': {
          const wrong = spec?.problems(answer.text) ?? [];
          if (wrong.length === 0) {
            return spec === null
              ? boundResult(answer.text, task.task_id, workspace)
              : spec.value(answer.text);
          }
          if (repairs === mostRepairs) {
            throw new Failure(
              'invalid_output',
              `the answer does not fit, after a repair: ${wrong.join('; ')}`,
            );
          }
          repairs += 1;
          this.#conversation.say({ role: 'assistant', text: answer.text, tool_calls: [] });
          this.#conversation.say({ role: 'user', text: scrubber.text(repairMessage(wrong)) });
          break;
        }
        case 'tool_use':
          for (const call of answer.tool_calls) this.#conversation.say(await this.#callTool(call));
          break;
        case 'gave_up':
          throw failureOf(answer.code ?? '', answer.message ?? 'the model gave up', 'tool_failed');
        case 'length':
          throw new Failure('invalid_output', 'the answer of the model was cut off at its token limit');
        case 'refused':
          throw new Failure('model_refused', answer.message ?? 'the model declined to answer');
        default:
          answer.stop_reason satisfies never;
      }
    }
  }

  #nextStep(): number {
    const { model, maxSteps } = this.#parts;
    if (!model.finite && this.#steps >= maxSteps) {
      throw new Failure(
        'step_limit',
        `found ${this.#steps + 1} calls, expected at most ${maxSteps} (max_steps of the role)`,
      );
    }
    return ++this.#steps;
  }

  async #askModel(): Promise<ModelAnswer> {
    const step = this.#nextStep();
    const known = this.#parts.recorded.outcomes.get(step);
    if (known && known.kind !== 'model') {
      throw new Failure('ledger_broken', `journal, step ${step}: found a tool call, expected a model call`);
    }
    const answer = known ? this.#recall(known.ended) : await this.#makeCall(step);
    if (answer.stop_reason === 'tool_use') {
      this.#conversation.say({ role: 'assistant', text: answer.text, tool_calls: answer.tool_calls });
    }
    if (answer.usage.calls > 0) {
      const { provider, model } = answer.by ?? this.#parts.model;
      this.#conversation.counted(`${provider}/${model}`, tokensOf(answer.usage));
    }
    return answer;
  }

  #recall(ended: Parameters<typeof answerOf>[0]): ModelAnswer {
    this.#usage = addUsage(this.#usage, ended.usage);
    if (ended.ok) return answerOf(ended);
    if (ended.code === 'safety_violation') throw new Violated(violationIn(ended.message));
    throw failureOf(ended.code, ended.message, 'model_failed');
  }

  async #makeCall(step: number): Promise<ModelAnswer> {
    const { model, settings, journal, prompt, toolbox, scrubber, answer: spec, signal } = this.#parts;
    const { turns } = this.#conversation;
    this.#mayGoOn();
    this.#checkRequest();
    const { maxOutputTokens, most } = this.#allotted();
    const temperature = model.capabilities.temperature ? settings.temperature : null;
    const named = { step, provider: model.provider, model: model.model };
    const target = `${model.provider}/${model.model}`;
    journal.append({
      event_type: 'model_call_started',
      target,
      payload: {
        ...named,
        request_hash: this.#conversation.hash,
        prompt_version: prompt.version,
        tools_hash: toolbox.hash,
        temperature,
        answer: spec?.schema.name ?? '',
        most,
      },
    });
    stopPoint('model-intended');
    // A free call may be made again, so its intent need not be durable first; what is paid for, or counts against a
    // budget, must leave a trace.
    if (model.paid || most !== null) await this.#durable();
    stopPoint('model-intent');
    const began = performance.now();
    const ended = (outcome: Outcome) => {
      const duration_ms = Math.round(performance.now() - began);
      journal.append({
        event_type: 'model_call_ended',
        target,
        payload: { ...named, ...outcome, duration_ms },
      });
    };
    const request: ModelRequest = {
      system: prompt.text,
      messages: turns,
      tools: toolbox.schemas,
      answer: spec?.schema ?? null,
      temperature,
      maxOutputTokens,
      payOnce: most !== null,
    };
    let raw: ModelAnswer;
    try {
      raw = await model.call(request, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { code, message } = asFailure(error, 'model_failed');
      // Nobody says what a call has cost that broke off: where that is limited, all that it can have come to is booked.
      const usage = most !== null && mayHaveBeenPaid(error) ? usageOfLost(most) : noUsage;
      this.#usage = addUsage(this.#usage, usage);
      ended({ ...noAnswer, usage, code, message: scrubber.text(message).slice(0, 2_000) });
      throw error;
    }
    stopPoint('model-answered');
    this.#usage = addUsage(this.#usage, raw.usage);
    const by = raw.by ?? {};
    // What is recorded is what is used, so that a resume has the same before it: secrets are taken out once, here.
    const answer = scrubber.value(raw);
    const { text, tool_calls, stop_reason, usage, code = '', message = '' } = answer;
    const said = { text, tool_calls, stop_reason, usage, ...by };
    try {
      checkedAnswer(answer);
      const violation = this.#violationOf(raw);
      if (violation !== null) throw new Violated(scrubber.value(violation));
    } catch (error) {
      const failure =
        error instanceof Violated
          ? { code: 'safety_violation', message: violationText(error.violation) }
          : asFailure(error);
      ended({ ...noAnswer, usage, stop_reason, ...by, code: failure.code, message: failure.message });
      throw error;
    }
    ended({ ok: true, ...said, code, message });
    stopPoint('model-outcome');
    return answer;
  }

  #checkRequest(): void {
    const { model, prompt } = this.#parts;
    const { turns, size } = this.#conversation;
    const request = { system: prompt.text, turns: turns.slice(this.#checked), size };
    // A script has no context that could be too long.
    const refused = model.finite ? checkInput(request, Number.POSITIVE_INFINITY) : checkInput(request);
    if (refused !== null) throw new Violated(refused);
    this.#checked = turns.length;
  }

  /** Of the answer as it came: a secret in it is one also where it is taken out afterwards. */
  #violationOf(answer: ModelAnswer): Violation | null {
    const { prompt, scrubber } = this.#parts;
    const said = checkOutput({ system: prompt.text, text: answer.text }, scrubber);
    if (said !== null) return said;
    for (const call of answer.tool_calls) {
      const refused = checkCall(call, scrubber);
      if (refused !== null) return refused;
    }
    return null;
  }

  #allotted() {
    const { task, model, settings } = this.#parts;
    const maxOutputTokens = Math.min(settings.maxOutputTokens, model.capabilities.maxOutputTokens);
    const inputTokens = this.#conversation.mostTokens(`${model.provider}/${model.model}`);
    // What makes no calls of its own costs nothing.
    if (model.finite) return { maxOutputTokens, most: null };
    return nextCall(task.budget, this.#usage, { inputTokens, maxOutputTokens }, model.price);
  }

  async #callTool(call: ToolCall): Promise<ToolTurn> {
    return this.#tools.run(this.#nextStep(), call);
  }

  #mayGoOn(): void {
    this.#parts.signal.throwIfAborted();
    this.#parts.guard();
  }

  /** Waits for the journal; afterwards the lease may have become too old. */
  async #durable(): Promise<void> {
    await this.#parts.journal.flush(this.#parts.signal);
    this.#mayGoOn();
  }
}

type Outcome = Parameters<typeof answerOf>[0] extends infer Ended
  ? Omit<Ended, 'task_id' | 'attempt' | 'lease' | 'agent' | 'step' | 'provider' | 'model' | 'duration_ms'>
  : never;

const noAnswer = { ok: false, text: '', tool_calls: [], stop_reason: '', usage: noUsage } as const;

const repairMessage = (wrong: readonly string[]): string =>
  `Your answer does not fit:\n${wrong.map((each) => `- ${each}`).join('\n')}\nAnswer again, with the whole answer and nothing else.`;

const failureOf = (code: string, message: string, fallback: 'tool_failed' | 'model_failed'): Failure =>
  new Failure(isFailureCode(code) ? code : fallback, message);
