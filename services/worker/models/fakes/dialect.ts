/**
 * What the three fakes have in common, and what each provider has to say for itself. A dialect reads requests as
 * strictly as its API does, and writes answers as its API does, byte by byte.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FakeModel, Provider } from './models.ts';

export interface FakeCallOf {
  readonly id: string;
  readonly name: string;
  /** Arguments as they were sent: a value, or for OpenAI the text when it is not JSON. */
  readonly input: unknown;
}

/** A turn of the conversation in the words of `services/worker/models/model.ts`. */
export type FakeTurn =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls: readonly FakeCallOf[] }
  | {
      readonly role: 'tool';
      readonly text: string;
      /** Null on Ollama, whose results name only their tool. */
      readonly toolCallId: string | null;
      readonly toolName: string | null;
      readonly isError: boolean;
    };

/** A request that was accepted. */
export interface FakeRequest {
  readonly provider: Provider;
  readonly model: string;
  readonly system: string;
  readonly messages: readonly FakeTurn[];
  /** Names of the tools that the model may call. */
  readonly tools: readonly string[];
  /** The JSON schema that the answer has to have; `{type: object}` where JSON without a schema was asked for. */
  readonly wantsJson: Readonly<Record<string, unknown>> | null;
  readonly temperature: number | null;
  /** Null: not given (Ollama, OpenAI). */
  readonly maxTokens: number | null;
  readonly stream: boolean;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came, parsed. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Input tokens are all that the request has; those from and into the cache are among them. */
export interface FakeUsage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

export interface FakeToolCall {
  readonly id?: string;
  readonly name: string;
  /** The arguments; `{}` if left out. */
  readonly input?: unknown;
  /** Instead of `input`: the text of the arguments, which may be no JSON. */
  readonly json?: string;
}

export interface FakeAnswer {
  readonly text?: string;
  /**
   * What the model thought before it answered. Left out, a Claude model that thinks by itself sends an empty block
   * of it, as the real ones do; OpenAI only counts it.
   */
  readonly thinking?: string;
  readonly toolCalls?: readonly FakeToolCall[];
  /** Left out: `tool_use` if there are tool calls, else `end`. */
  readonly stop?: 'end' | 'tool_use' | 'length' | 'refusal';
  /** Instead of what is counted. */
  readonly usage?: Partial<FakeUsage>;
}

/** An answer with everything filled in and cut to the tokens that were allowed. */
export interface FullAnswer {
  readonly text: string;
  readonly thinking: string | null;
  /** `json` is the text of the arguments. */
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly json: string }[];
  readonly stop: 'end' | 'tool_use' | 'length' | 'refusal';
  readonly usage: FakeUsage;
}

export interface RefusalDetails {
  readonly type?: string;
  readonly code?: string;
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that was refused. `type` and `code` are those of the provider's body. */
export class Refusal extends Error {
  readonly status: number;
  readonly type: string | null;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, details: RefusalDetails = {}) {
    super(message);
    this.status = status;
    this.type = details.type ?? null;
    this.code = details.code ?? null;
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
  }
}

export interface Incoming {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The text of the body. */
  readonly text: string;
}

/** What a dialect made of a request. */
export type Read =
  | { readonly kind: 'reply'; readonly json: unknown }
  | {
      readonly kind: 'chat';
      readonly request: FakeRequest;
      /** How many of the oldest turns the provider left out to make it fit (Ollama). */
      readonly dropped: number;
      /** What the request costs; called once, when it is answered. */
      readonly charge: () => Omit<FakeUsage, 'output'>;
    };

export interface Dialect {
  readonly provider: Provider;
  readonly maxBodyBytes: number;
  /** Throws a Refusal where the provider refuses. */
  read(incoming: Incoming): Read;
  /** What the provider says when it refuses for one of these reasons. */
  refusal(reason: 'context_too_long' | 'model_not_found' | 'overloaded', model: string): Refusal;
  errorBody(refusal: Refusal, requestId: string): string;
  /** Headers of every answer. */
  headers(requestId: string): Record<string, string>;
  readonly streamType: string;
  plain(request: FakeRequest, answer: FullAnswer): string;
  /** The events of a streamed answer, in their bytes. May throw a Refusal: an error that comes in the stream. */
  events(request: FakeRequest, answer: FullAnswer): string[];
  /** The event that says in the middle of a stream that the provider failed. */
  errorEvent(message: string | null, requestId: string): string;
  toolCallId(seed: string): string;
  /** Whether the model thinks of itself when it is asked this. */
  thinks(request: FakeRequest): boolean;
}

export interface DialectOptions {
  readonly key: string;
  readonly models: ReadonlyMap<string, FakeModel>;
  /** Milliseconds; by it the cache of prompts forgets. */
  readonly clock: () => number;
}
