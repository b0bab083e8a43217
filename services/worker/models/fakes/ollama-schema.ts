/**
 * The body of POST /api/chat as the client's own types have it (`ChatRequest`), with `truncate` and `shift`, which
 * the server knows and the types do not. Two things are stricter than the server, which takes them without a word
 * and then does something else than was meant: fields it does not know, and results without `tool_name`.
 */
import { z } from 'zod';

const name = z.string().min(1);
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.string() }),
  z.strictObject({ role: z.literal('user'), content: z.string(), images: z.array(z.string()).optional() }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z.string(),
    thinking: z.string().optional(),
    tool_calls: z
      .array(
        z.strictObject({
          id: z.string().optional(),
          function: z.strictObject({
            index: z.int().optional(),
            name,
            arguments: z.record(z.string(), z.unknown()),
          }),
        }),
      )
      .optional(),
  }),
  z.strictObject({
    role: z.literal('tool'),
    content: z.string(),
    tool_name: name,
    tool_call_id: z.string().optional(),
  }),
]);

const tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name,
    description: z.string().optional(),
    parameters: z
      .looseObject({
        type: z.literal('object'),
        properties: z.record(z.string(), z.looseObject({})).optional(),
        required: z.array(z.string()).optional(),
      })
      .optional(),
  }),
});

const int = z.int().optional();
const float = z.number().optional();
const bool = z.boolean().optional();
const options = z.strictObject({
  numa: bool,
  num_ctx: int,
  num_batch: int,
  num_gpu: int,
  main_gpu: int,
  low_vram: bool,
  f16_kv: bool,
  logits_all: bool,
  vocab_only: bool,
  use_mmap: bool,
  use_mlock: bool,
  embedding_only: bool,
  num_thread: int,
  num_keep: int,
  seed: int,
  num_predict: int,
  top_k: int,
  top_p: float,
  min_p: float,
  tfs_z: float,
  typical_p: float,
  repeat_last_n: int,
  temperature: float,
  repeat_penalty: float,
  presence_penalty: float,
  frequency_penalty: float,
  mirostat: int,
  mirostat_tau: float,
  mirostat_eta: float,
  penalize_newline: bool,
  stop: z.array(z.string()).optional(),
});

export const chatBody = z.strictObject({
  model: z.string(),
  messages: z.array(message).optional(),
  stream: bool,
  format: z.union([z.literal('json'), z.literal(''), z.record(z.string(), z.unknown())]).optional(),
  keep_alive: z.union([z.number(), z.string().regex(/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/)]).optional(),
  tools: z.array(tool).optional(),
  think: z.union([z.boolean(), z.enum(['high', 'medium', 'low'])]).optional(),
  logprobs: bool,
  top_logprobs: z.int().min(0).max(20).optional(),
  options: options.optional(),
  truncate: bool,
  shift: bool,
});
export const showBody = z.strictObject({
  model: z.string().optional(),
  name: z.string().optional(),
  system: z.string().optional(),
  template: z.string().optional(),
  verbose: bool,
  options: options.optional(),
});

export type ChatBody = z.infer<typeof chatBody>;
export type ChatMessage = NonNullable<ChatBody['messages']>[number];
