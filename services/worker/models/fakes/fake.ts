/**
 * Fakes of the providers' HTTP APIs: real servers on 127.0.0.1 that the real clients talk to. They refuse what the
 * provider would refuse, count what it would charge, and go wrong in its ways on demand.
 */
import { anthropicDialect } from './anthropic.ts';
import type { FakeAnswer, FakeRequest, FakeUsage } from './dialect.ts';
import type { Fault } from './faults.ts';
import { type FakeModel, modelsOf, type Provider } from './models.ts';
import { ollamaDialect } from './ollama.ts';
import { openaiDialect } from './openai.ts';
import { RunningFake } from './server.ts';

export type { FakeAnswer, FakeRequest, FakeToolCall, FakeTurn, FakeUsage } from './dialect.ts';
export type { Fault } from './faults.ts';
export type { FakeModel, Provider } from './models.ts';
export { tokensIn } from './tokens.ts';

export interface FakeOptions {
  /** What the model answers. The signal is aborted when the client is gone or the fake is closed. */
  readonly answer: (
    request: FakeRequest,
    signal: AbortSignal,
  ) => FakeAnswer | Fault | Promise<FakeAnswer | Fault>;
  /** The only key that is accepted; `fake-key` if left out. Ollama takes none. */
  readonly key?: string;
  /** Models beside the known ones, or known ones changed. What is left out is as on a plain model. */
  readonly models?: Readonly<Record<string, Partial<FakeModel>>>;
  /** Instead of the provider's own limit. */
  readonly maxBodyBytes?: number;
  /** Milliseconds; for the age of cached prompts. */
  readonly clock?: () => number;
  /** 0: any free one. */
  readonly port?: number;
}

/** A request that was accepted. */
export interface FakeCall {
  readonly request: FakeRequest;
  /** `answered`: to the last byte. `gone`: the client left before that. `broken`: by a fault. */
  readonly state: 'in_air' | 'answered' | 'gone' | 'broken';
  readonly fault: Fault['fault'] | null;
  /** What the provider charges: null as long as nothing was answered. An answer that broke off is charged whole. */
  readonly usage: FakeUsage | null;
  /** How many of the oldest turns were left out to make it fit (Ollama does so without a word). */
  readonly dropped: number;
}

export interface Fake {
  readonly provider: Provider;
  /** What the clients take as their base URL. */
  readonly url: string;
  /** In the order in which they came. */
  readonly calls: readonly FakeCall[];
  /** Requests refused, by rule or by a fault that refuses; status 0: the connection was reset. */
  readonly refused: readonly { readonly status: number; readonly message: string }[];
  /** Valid requests for an answer that are under way. */
  readonly inAir: number;
  readonly maxInAir: number;
  /** The next valid requests meet these, one each. Throws if the provider knows no such fault. */
  fail(...faults: readonly Fault[]): void;
  /** Ends what hangs, and the server. Throws what `answer` threw, if it did; a second time it does nothing. */
  close(): Promise<void>;
}

const dialects = { anthropic: anthropicDialect, openai: openaiDialect, ollama: ollamaDialect } as const;
export async function startFake(provider: Provider, options: FakeOptions): Promise<Fake> {
  const dialect = dialects[provider]({
    key: options.key ?? 'fake-key',
    models: modelsOf(provider, options.models ?? {}),
    clock: options.clock ?? Date.now,
  });
  const fake = new RunningFake(dialect, options);
  await fake.listen(options.port ?? 0);
  return fake;
}
