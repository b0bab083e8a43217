/** Requests that the Messages API refuses, and the words for them. */

export const user = { role: 'user', content: 'hi' } as const;
export const list = { name: 'list', input_schema: { type: 'object' as const } };
export const used = (id = 't1') => ({ type: 'tool_use', id, name: 'list', input: {} }) as const;
export const result = (id = 't1') => ({ type: 'tool_result', tool_use_id: id, content: 'a.txt' }) as const;

export const marked = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } } as const;
const schemaOf = (schema: object) => ({ output_config: { format: { type: 'json_schema', schema } } });
export const conversation = (...messages: object[]) => ({ tools: [list], messages: [user, ...messages] });
export const assistant = (...content: object[]) => ({ role: 'assistant', content });
export const asked = (...content: object[]) => ({ role: 'user', content });

/** Each refusal: what is sent instead, the status, and what the message says. */
export const refusals: readonly (readonly [string, object, number, RegExp])[] = [
  ['an unknown model', { model: 'claude-nobody' }, 404, /^model: claude-nobody$/],
  ['no model', { model: undefined }, 400, /model: Field required/],
  ['no max_tokens', { max_tokens: undefined }, 400, /max_tokens: Field required/],
  ['max_tokens as text', { max_tokens: '10' }, 400, /max_tokens: Input should be a valid int/],
  [
    'max_tokens over the limit of the model',
    { max_tokens: 128_001, stream: true },
    400,
    /128001 > 128000, which is the maximum/,
  ],
  ['an unknown field', { max_output_tokens: 10 }, 400, /max_output_tokens: Extra inputs are not permitted/],
  [
    'an unknown field in a block',
    { messages: [asked({ type: 'text', text: 'x', foo: 1 })] },
    400,
    /messages\.0\.content\.0\.text\.foo: Extra/,
  ],
  [
    'a temperature, with this version',
    { temperature: 1 },
    400,
    /temperature: Extra inputs are not permitted/,
  ],
  ['no messages', { messages: [] }, 400, /at least one message is required/],
  ['a role that does not exist', { messages: [{ role: 'tool', content: 'x' }] }, 400, /messages\.0\.role/],
  [
    'an assistant first',
    { messages: [assistant({ type: 'text', text: 'x' }), user] },
    400,
    /first message must use the "user" role/,
  ],
  [
    'an assistant last',
    { messages: [user, { role: 'assistant', content: 'The' }] },
    400,
    /does not support assistant message prefill/,
  ],
  ['an empty turn', { messages: [{ role: 'user', content: '' }] }, 400, /must have non-empty content/],
  [
    'an empty text',
    { messages: [asked({ type: 'text', text: '' })] },
    400,
    /text content blocks must be non-empty/,
  ],
  [
    'a text of blanks',
    { messages: [asked({ type: 'text', text: ' \n' })] },
    400,
    /must contain non-whitespace text/,
  ],
  [
    'a call without its result',
    conversation(assistant(used()), user),
    400,
    /`tool_use` ids were found without `tool_result` blocks immediately after: t1/,
  ],
  ['a call at the end', conversation(assistant(used())), 400, /prefill/],
  [
    'text before the result',
    conversation(assistant(used()), asked({ type: 'text', text: 'x' }, result())),
    400,
    /immediately after: t1/,
  ],
  [
    'one result of two',
    conversation(assistant(used(), used('t2')), asked(result())),
    400,
    /immediately after: t2/,
  ],
  [
    'a result too late',
    conversation(assistant(used()), asked(result()), assistant({ type: 'text', text: 'x' }), asked(result())),
    400,
    /unexpected `tool_use_id`/,
  ],
  [
    'a result without a call',
    conversation(assistant({ type: 'text', text: 'x' }), asked(result())),
    400,
    /unexpected `tool_use_id` found in `tool_result` blocks: t1/,
  ],
  [
    'a result twice',
    conversation(assistant(used()), asked(result(), result())),
    400,
    /each tool_use must have a single result/,
  ],
  ['an id twice', conversation(assistant(used(), used()), asked(result())), 400, /ids must be unique/],
  [
    'an id that breaks the pattern',
    conversation(assistant(used('a b')), asked(result('a b'))),
    400,
    /tool_use\.id: String should match pattern/,
  ],
  [
    'input that is no object',
    conversation(assistant({ ...used(), input: '{}' }), asked(result())),
    400,
    /tool_use\.input: Input should be a valid dictionary/,
  ],
  [
    'calls without tools',
    { ...conversation(assistant(used()), asked(result())), tools: undefined },
    400,
    /must define tools/,
  ],
  [
    'a tool name with a dot',
    { tools: [{ ...list, name: 'a.b' }] },
    400,
    /tools\.0\.custom\.name: String should match pattern/,
  ],
  ['two tools of a name', { tools: [list, list] }, 400, /Tool names must be unique/],
  ['no input_schema', { tools: [{ name: 'list' }] }, 400, /tools\.0\.custom\.input_schema: Field required/],
  [
    'an input_schema that is not of an object',
    { tools: [{ ...list, input_schema: { type: 'string' } }] },
    400,
    /tools\.0\.custom\.input_schema\.type: Input should be 'object'/,
  ],
  [
    'a choice without tools',
    { tool_choice: { type: 'auto' } },
    400,
    /may only be specified while providing tools/,
  ],
  [
    'a choice of no tool',
    { tools: [list], tool_choice: { type: 'tool', name: 'other' } },
    400,
    /Tool 'other' not found/,
  ],
  [
    'a forced choice on Opus 5.5',
    { model: 'claude-opus-5-5', tools: [list], tool_choice: { type: 'any' } },
    400,
    /forces tool use/,
  ],
  [
    'a schema with open objects',
    schemaOf({ type: 'object', properties: {} }),
    400,
    /'additionalProperties' must be explicitly set to false/,
  ],
  [
    'a schema with a minimum',
    schemaOf({
      type: 'object',
      properties: { n: { type: 'integer', minimum: 1 } },
      additionalProperties: false,
    }),
    400,
    /For 'integer' type, properties minimum are not supported/,
  ],
  ['an unknown format', { output_config: { format: { type: 'json' } } }, 400, /output_config\.format/],
  [
    'an unknown effort',
    { output_config: { effort: 'huge' } },
    400,
    /output_config\.effort: Input should be 'low'/,
  ],
  [
    'manual thinking',
    { thinking: { type: 'enabled', budget_tokens: 1024 } },
    400,
    /"thinking\.type\.enabled" is not supported/,
  ],
  [
    'no thinking on Opus 5.5',
    { model: 'claude-opus-5-5', thinking: { type: 'disabled' } },
    400,
    /"thinking\.type\.disabled" is not supported/,
  ],
  [
    'adaptive thinking on an old model',
    { model: 'claude-haiku-4-5', thinking: { type: 'adaptive' } },
    400,
    /adaptive thinking is not supported/,
  ],
  [
    'a budget below 1024',
    { model: 'claude-haiku-4-5', thinking: { type: 'enabled', budget_tokens: 10 } },
    400,
    /budget_tokens: Input should be greater than or equal to 1024/,
  ],
  [
    'a budget over max_tokens',
    { model: 'claude-haiku-4-5', thinking: { type: 'enabled', budget_tokens: 1024 } },
    400,
    /must be greater than `thinking\.budget_tokens`/,
  ],
  [
    'thinking that was changed',
    { messages: [user, assistant({ type: 'thinking', thinking: 'x', signature: 'forged' }), user] },
    400,
    /Invalid `signature`/,
  ],
  [
    'five marks of the cache',
    { system: [marked, marked, marked, marked], messages: [asked(marked)] },
    400,
    /maximum of 4 blocks with cache_control may be provided\. Found 5/,
  ],
  [
    'a mark on an empty text',
    { messages: [asked({ ...marked, text: '' })] },
    400,
    /cache_control cannot be set for empty text blocks/,
  ],
  [
    'a long mark after a short one',
    { system: [marked, { ...marked, cache_control: { type: 'ephemeral', ttl: '1h' } }] },
    400,
    /ttl='1h' cache_control block must not come after/,
  ],
  [
    'an unknown kind of mark',
    { system: [{ ...marked, cache_control: { type: 'forever' } }] },
    400,
    /cache_control\.type: Input should be 'ephemeral'/,
  ],
  [
    'a system turn on Sonnet 5',
    { model: 'claude-sonnet-5', messages: [user, { role: 'system', content: 'x' }] },
    400,
    /role 'system' is not supported/,
  ],
  [
    'a prompt that is too long',
    { model: 'small', messages: [{ role: 'user', content: 'x'.repeat(4004) }] },
    400,
    /prompt is too long: 1001 tokens > 1000 maximum/,
  ],
  [
    'a prompt that leaves no room',
    { model: 'small', messages: [{ role: 'user', content: 'x'.repeat(3800) }] },
    400,
    /exceed context limit: 950 \+ 100 > 1000/,
  ],
];
