/** What chat completions asks of a request beyond its shape. Each rule throws a Refusal in the API's words. */
import type { FakeModel } from './models.ts';
import { invalid } from './openai-refusal.ts';
import { type CompletionsBody, textOf } from './openai-schema.ts';
import { strictSchemaFault } from './strict-schema.ts';

export function checkCompletion(body: CompletionsBody, model: FakeModel): void {
  checkParameters(body, model);
  checkTools(body, model);
  checkToolPairs(body);
  checkFormat(body);
}

function checkParameters(body: CompletionsBody, model: FakeModel): void {
  const reasons = model.thinking !== 'none';
  if (typeof body.max_tokens === 'number') {
    if (reasons)
      throw invalid(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        'max_tokens',
        'unsupported_parameter',
      );
    if (typeof body.max_completion_tokens === 'number')
      throw invalid(
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        'max_tokens',
        'invalid_parameter_combination',
      );
  }
  const param = typeof body.max_tokens === 'number' ? 'max_tokens' : 'max_completion_tokens';
  const most = body[param];
  if (typeof most === 'number' && most > model.maxOutput)
    throw invalid(
      `${param} is too large: ${most}. This model supports at most ${model.maxOutput} completion tokens, whereas you provided ${most}.`,
      param,
      'invalid_value',
    );
  for (const name of ['temperature', 'top_p'] as const) {
    const value = body[name];
    if (typeof value !== 'number' || value === 1 || model.temperature === 'any') continue;
    if (model.temperature === 'without_reasoning' && body.reasoning_effort === 'none') continue;
    throw invalid(
      `Unsupported value: '${name}' does not support ${value} with this model. Only the default (1) value is supported.`,
      name,
      'unsupported_value',
    );
  }
  if (typeof body.reasoning_effort === 'string' && !reasons)
    throw invalid('Unrecognized request argument supplied: reasoning_effort');
  if (body.stream_options && body.stream !== true)
    throw invalid(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      'stream_options',
    );
}

function checkTools(body: CompletionsBody, model: FakeModel): void {
  for (const name of ['tool_choice', 'parallel_tool_calls'] as const) {
    if (body[name] !== undefined && !body.tools)
      throw invalid(
        `Invalid value for '${name}': '${name}' is only allowed when 'tools' are specified.`,
        name,
      );
  }
  if (!body.tools) return;
  if (!model.tools) throw invalid('tools is not supported in this model.', 'tools', 'unsupported_parameter');
  const effort = body.reasoning_effort ?? null;
  const reasons = effort !== 'none' && (effort !== null || model.toolsWithoutReasoning === 'said');
  if (model.toolsWithoutReasoning !== null && reasons)
    throw invalid(
      `Function tools with reasoning_effort are not supported for ${body.model} in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.`,
      'reasoning_effort',
    );
  const names = body.tools.map((tool) => tool.function.name);
  const chosen = typeof body.tool_choice === 'object' ? body.tool_choice.function.name : null;
  if (chosen !== null && !names.includes(chosen))
    throw invalid(
      `Invalid value for 'tool_choice': no function named '${chosen}' was specified in the 'tools' parameter.`,
      'tool_choice',
    );
  for (const [at, { function: described }] of body.tools.entries()) {
    const { name, parameters, strict } = described;
    if (names.indexOf(name) !== at)
      throw invalid(
        `Invalid 'tools[${at}].function.name': duplicate function name '${name}'.`,
        `tools[${at}].function.name`,
        'invalid_value',
      );
    const fault =
      parameters === undefined || (parameters['type'] === 'object' && !strict)
        ? null
        : strictSchemaFault(parameters, 'openai');
    if (fault)
      throw invalid(
        `Invalid schema for function '${name}': ${fault}`,
        `tools[${at}].function.parameters`,
        'invalid_function_parameters',
      );
  }
}

function checkToolPairs(body: CompletionsBody): void {
  let open: string[] = [];
  let from = 0;
  const unanswered = () =>
    invalid(
      `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${open.join(', ')}`,
      `messages.[${from}].role`,
    );
  let mayAnswer: string[] = [];
  for (const [at, message] of body.messages.entries()) {
    if (message.role === 'tool') {
      if (!mayAnswer.includes(message.tool_call_id))
        throw invalid(
          mayAnswer.length > 0
            ? `Invalid parameter: 'tool_call_id' of '${message.tool_call_id}' not found in 'tool_calls' of previous message.`
            : "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          mayAnswer.length > 0 ? `messages.[${at}].tool_call_id` : `messages.[${at}].role`,
        );
      open = open.filter((id) => id !== message.tool_call_id);
      continue;
    }
    if (open.length > 0) throw unanswered();
    mayAnswer = [];
    if (message.role !== 'assistant') continue;
    const calls = message.tool_calls ?? [];
    if (
      calls.length === 0 &&
      typeof message.content !== 'string' &&
      !Array.isArray(message.content) &&
      !message.refusal
    )
      throw invalid("Invalid value for 'content': expected a string, got null.", `messages.[${at}].content`);
    mayAnswer = calls.map(({ id }) => id);
    if (new Set(mayAnswer).size < mayAnswer.length)
      throw invalid(`Duplicate value for 'tool_call_id' in 'tool_calls'.`, `messages.[${at}].tool_calls`);
    open = mayAnswer;
    from = at + 1;
  }
  if (open.length > 0) throw unanswered();
}

function checkFormat(body: CompletionsBody): void {
  const format = body.response_format;
  if (format?.type === 'json_object' && !body.messages.some(({ content }) => /json/i.test(textOf(content))))
    throw invalid(
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      'messages',
    );
  if (format?.type !== 'json_schema') return;
  const { name, schema, strict } = format.json_schema;
  if (schema === undefined)
    throw invalid(
      "Missing required parameter: 'response_format.json_schema.schema'.",
      'response_format.json_schema.schema',
      'missing_required_parameter',
    );
  const fault = strict || schema['type'] !== 'object' ? strictSchemaFault(schema, 'openai') : null;
  if (fault) throw invalid(`Invalid schema for response_format '${name}': ${fault}`, 'response_format');
}
