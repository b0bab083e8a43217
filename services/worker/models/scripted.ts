import type { Script } from '#schemas/types.gen.ts';
import { type Model, type ModelAnswer, noUsage, type ToolTurn, type Turn } from './model.ts';

const RESULT_LINES = 20;

const capabilities = {
  tools: true,
  json: true,
  contextTokens: Number.MAX_SAFE_INTEGER,
  maxOutputTokens: Number.MAX_SAFE_INTEGER,
  temperature: false,
} as const;

/**
 * A model that needs no key: it makes the tool calls of a script, one per turn, and then gives the script's answer.
 * When a call that may not fail has failed, it gives up as a sensible model would. What it answers depends on the
 * conversation alone, so a resumed task goes on where the journal ends.
 */
export function scriptedModel(script: Script): Model {
  return {
    provider: 'scripted',
    model: 'script',
    paid: false,
    finite: true,
    capabilities,
    price: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    call: ({ messages }) => Promise.resolve(nextTurn(script, messages)),
  };
}

function nextTurn(script: Script, messages: readonly Turn[]): ModelAnswer {
  const made = messages.filter((turn) => turn.role === 'assistant').length;
  const last = messages.at(-1);
  if (last?.role === 'tool' && !last.ok && script.calls[made - 1]?.allow_failure !== true) {
    const message = `call ${made} of ${script.calls.length} (${last.tool}): ${last.message}`;
    return { text: '', tool_calls: [], stop_reason: 'gave_up', usage: noUsage, code: 'tool_failed', message };
  }
  const next = script.calls[made];
  if (next === undefined) {
    const text = script.answer === '' ? (last?.role === 'tool' ? resultOf(last) : '') : script.answer;
    return { text, tool_calls: [], stop_reason: 'end', usage: noUsage };
  }
  const call = { id: `call_${made + 1}`, tool: next.tool, arguments: next.arguments };
  return { text: '', tool_calls: [call], stop_reason: 'tool_use', usage: noUsage };
}

/** The first lines that the last call said. Tools answer in JSON; what a person wants of it is the text inside. */
function resultOf(turn: ToolTurn): string {
  let said = turn.output;
  try {
    const output: unknown = JSON.parse(turn.output);
    if (typeof output === 'object' && output !== null) {
      if ('stdout' in output && typeof output.stdout === 'string') said = output.stdout;
      else if ('content' in output && typeof output.content === 'string') said = output.content;
    }
  } catch {
    // Not JSON: shown as it is.
  }
  return said.trim().split('\n').slice(0, RESULT_LINES).join('\n');
}
