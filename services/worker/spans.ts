/** The spans of a task: the task itself, its model calls and its tool calls, by the GenAI conventions. */
import { leaseSpanId, traceOfMission } from '#chassis/mission-trace.ts';
import { content, inSpan, type OpenSpan, type SpanAttributes } from '#chassis/tracing.ts';
import type { EventOf, ToolCall, Usage } from '#schemas/types.gen.ts';
import { nanosOf, usdOf } from '#schemas/usage.ts';
import type { Model, ModelAnswer, ModelRequest, Turn } from './models/model.ts';
import type { EndReport } from './report.ts';
import type { Effect, ToolResult } from './tools/tool.ts';

/** Characters of one text, and turns of one conversation, that a span holds at the most when it holds any. */
const TEXT_LIMIT = 8_192;
const TURN_LIMIT = 20;

export interface TracedTask {
  readonly assignment: EventOf<'task_assigned'>;
  /** As it came with the assignment. */
  readonly traceparent: string | null;
  readonly agent: string;
}

/** One lease of an attempt. A resume is linked to the lease before; steps taken from the journal make no spans again. */
export function traceTask(
  { assignment, traceparent, agent }: TracedTask,
  run: () => Promise<EndReport | null>,
): Promise<EndReport | null> {
  const draft = () => {
    const { correlation_id: mission, payload } = assignment;
    const { task_id, role, attempt, lease } = payload;
    const { traceId, spanId, caller } = traceOfMission(mission, traceparent);
    const before = { traceId, spanId: leaseSpanId(mission, task_id, attempt, lease - 1), sampled: true };
    return {
      name: `task ${task_id}`,
      kind: 'consumer' as const,
      parent: { traceId, spanId, sampled: caller === null ? null : caller.sampled },
      ids: { traceId, spanId: leaseSpanId(mission, task_id, attempt, lease) },
      links: lease > 1 ? [before] : [],
      attributes: {
        'ravenhelm.mission_id': mission,
        'ravenhelm.task_id': task_id,
        'ravenhelm.role': role,
        'ravenhelm.attempt': attempt,
        'ravenhelm.lease': lease,
        'ravenhelm.agent': agent,
        'ravenhelm.resumed': lease > 1,
        'gen_ai.agent.name': role,
      },
    };
  };
  return inSpan(draft, async (span) => {
    const report = await run();
    describeEnd(span, report);
    return report;
  });
}

function describeEnd(span: OpenSpan, report: EndReport | null): void {
  // Nothing to report: it was cancelled, or another lease has it.
  if (report === null) return span.set({ 'ravenhelm.outcome': 'abandoned' });
  switch (report.event_type) {
    case 'task_completed': {
      const { steps, usage } = report.payload;
      return span.set({ 'ravenhelm.outcome': 'completed', 'ravenhelm.steps': steps, ...costOf(usage) });
    }
    case 'task_attempt_failed': {
      const { code, steps } = report.payload;
      span.set({ 'ravenhelm.outcome': 'failed', 'ravenhelm.code': code, 'ravenhelm.steps': steps });
      return span.fail(code);
    }
    case 'safety_violation':
      span.set({ 'ravenhelm.outcome': 'failed', 'ravenhelm.code': 'safety_violation' });
      return span.fail('safety_violation');
    case 'review_requested':
    case 'dependency_required':
      return span.set({ 'ravenhelm.outcome': 'parked' });
    case 'agent_handoff': {
      const { steps, usage } = report.payload;
      return span.set({ 'ravenhelm.outcome': 'handed_over', 'ravenhelm.steps': steps, ...costOf(usage) });
    }
    case 'task_released':
      return span.set({ 'ravenhelm.outcome': 'released' });
  }
}

export interface TracedModelCall {
  readonly provider: string;
  readonly model: string;
  readonly request: ModelRequest;
  /** Number of the call within the attempt, where it is known. */
  readonly step?: number;
}

export function traceModelCall(
  call: TracedModelCall,
  make: () => Promise<ModelAnswer>,
): Promise<ModelAnswer> {
  const draft = () => {
    const { provider, model, request, step } = call;
    const attributes: SpanAttributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'gen_ai.request.max_tokens': whole(request.maxOutputTokens),
      'gen_ai.request.temperature': request.temperature ?? undefined,
      'gen_ai.output.type': request.answer === null ? undefined : 'json',
      'gen_ai.system_instructions': content(() => [text(request.system)]),
      'gen_ai.input.messages': content(() => request.messages.slice(-TURN_LIMIT).map(messageOf)),
      'ravenhelm.step': step,
    };
    return { name: `chat ${model}`, kind: 'client' as const, attributes };
  };
  return inSpan(draft, async (span) => {
    const answer = await make();
    const { by, usage, stop_reason, code = '' } = answer;
    span.set({
      'gen_ai.response.model': by?.model ?? call.model,
      'ravenhelm.response.provider': by?.provider,
      'gen_ai.response.finish_reasons': [stop_reason],
      'ravenhelm.code': code === '' ? undefined : code,
      'gen_ai.output.messages': content(() => [
        { ...messageOf({ role: 'assistant', ...answer }), finish_reason: stop_reason },
      ]),
      ...tokensOf(usage),
      ...costOf(usage),
    });
    return answer;
  });
}

/** A model whose calls are spans. Calls that a resume takes from the journal never reach a model, and so are none. */
export function tracedModel(model: Model): Model {
  const { provider, model: name, paid, finite, capabilities, price } = model;
  const about = { provider, model: name, paid, finite, capabilities, price };
  return {
    ...about,
    call: (request, signal, onText) =>
      traceModelCall({ provider, model: name, request }, () => model.call(request, signal, onText)),
  };
}

export interface TracedToolCall extends ToolCall {
  readonly effect: Effect;
  readonly step?: number;
}

export function traceToolCall(call: TracedToolCall, make: () => Promise<ToolResult>): Promise<ToolResult> {
  const draft = () => ({
    name: `execute_tool ${call.tool}`,
    attributes: {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': call.tool,
      'gen_ai.tool.call.id': call.id,
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.arguments': content(() => cut(call.arguments)),
      'ravenhelm.effect': call.effect,
      'ravenhelm.step': call.step,
    },
  });
  return inSpan(draft, async (span) => {
    const result = await make();
    span.set({
      'ravenhelm.outcome': result.ok ? 'ok' : 'failed',
      'ravenhelm.truncated': result.truncated,
      'gen_ai.tool.call.result': content(() => cut(result.output)),
    });
    if (!result.ok) {
      span.set({ 'ravenhelm.code': result.code });
      span.fail(result.code);
    }
    return result;
  });
}

/** By the conventions, input tokens are all of them: those read from a cache and written to one, too. */
const tokensOf = (usage: Usage): SpanAttributes => ({
  'gen_ai.usage.input_tokens': usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
  'gen_ai.usage.output_tokens': usage.output_tokens,
  'gen_ai.usage.cache_read.input_tokens': usage.cache_read_tokens,
  'gen_ai.usage.cache_write.input_tokens': usage.cache_write_tokens,
});

/** A cost that is not known is left out. Sums are rounded to the nano-dollar, which is what prices are exact to. */
const costOf = ({ cost_usd }: Usage): SpanAttributes => ({
  'ravenhelm.cost_usd': cost_usd === null ? undefined : usdOf(nanosOf(cost_usd)),
});

const whole = (tokens: number) => (Number.isSafeInteger(tokens) ? tokens : undefined);

const cut = (all: string) => (all.length > TEXT_LIMIT ? `${all.slice(0, TEXT_LIMIT)}…` : all);
const text = (all: string) => ({ type: 'text', content: cut(all) });

/** A turn as the conventions write a message. */
function messageOf(turn: Turn): { role: string; parts: object[] } {
  switch (turn.role) {
    case 'user':
      return { role: 'user', parts: [text(turn.text)] };
    case 'assistant': {
      const said = turn.text === '' ? [] : [text(turn.text)];
      const calls = turn.tool_calls.map(({ id, tool, arguments: args }) => ({
        ...{ type: 'tool_call', id, name: tool, arguments: cut(args) },
      }));
      return { role: 'assistant', parts: [...said, ...calls] };
    }
    case 'tool': {
      const response = { type: 'tool_call_response', id: turn.call_id, result: cut(turn.output) };
      return { role: 'tool', parts: [response] };
    }
  }
}
