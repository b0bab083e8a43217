/** One question to a fake, through the real client of its provider. */
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import type { Fake } from './fake.ts';

export interface Heard {
  readonly text: string;
  /** Arguments of the tool calls, as the client gives them. */
  readonly inputs: readonly unknown[];
  readonly stop: string | null;
}

/** One question through the real client, streamed or not. */
export async function askThrough(fake: Fake, stream: boolean, signal?: AbortSignal): Promise<Heard> {
  const user = { role: 'user' as const, content: 'hi' };
  const options = signal ? { signal } : {};
  if (fake.provider === 'anthropic') {
    const client = new Anthropic({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0, logLevel: 'off' });
    const tools = [{ name: 'list', input_schema: { type: 'object' as const } }];
    const body = { model: 'claude-sonnet-5-5', max_tokens: 100, messages: [user], tools };
    const message = stream
      ? await client.messages.stream(body, options).finalMessage()
      : await client.messages.create(body, options);
    return {
      text: message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join(''),
      inputs: message.content.flatMap((block) => (block.type === 'tool_use' ? [block.input] : [])),
      stop: message.stop_reason,
    };
  }
  if (fake.provider === 'openai') {
    const client = new OpenAI({ baseURL: fake.url, apiKey: 'fake-key', maxRetries: 0, logLevel: 'off' });
    const tools = [{ type: 'function' as const, function: { name: 'list' } }];
    const body = { model: 'gpt-4.1', messages: [user], tools };
    const { choices } = stream
      ? await client.chat.completions.stream(body, options).finalChatCompletion()
      : await client.chat.completions.create(body, options);
    const message = choices[0]?.message;
    const calls = message?.tool_calls ?? [];
    return {
      text: message?.content ?? '',
      inputs: calls.map((call) => call.type === 'function' && call.function.arguments),
      stop: choices[0]?.finish_reason ?? null,
    };
  }
  // A plain call of this client is given up through its fetch.
  const client = new Ollama({ host: fake.url, fetch: (url, init) => fetch(url, { ...init, ...options }) });
  const tools = [{ type: 'function', function: { name: 'list' } }];
  const body = { model: 'llama3.1', messages: [user], tools };
  if (!stream) {
    const { message, done_reason: stop } = await client.chat(body);
    return {
      text: message.content,
      inputs: message.tool_calls?.map((call) => call.function.arguments) ?? [],
      stop,
    };
  }
  let text = '';
  const inputs: unknown[] = [];
  let stop: string | null = null;
  for await (const part of await client.chat({ ...body, stream: true })) {
    text += part.message.content;
    inputs.push(...(part.message.tool_calls ?? []).map((call) => call.function.arguments));
    stop = part.done_reason ?? null;
  }
  return { text, inputs, stop };
}
