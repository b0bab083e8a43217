import type { FailureCode } from './failures.ts';

/** An error by which the broker says no to what was to be written, rather than to when or by whom. */
export interface Refusal {
  readonly code: Extract<FailureCode, 'output_refused' | 'topic_missing'>;
  /** The broker's name of the error. */
  readonly type: string;
  /** False: a broker that is coming up may say it, too. It is believed once it has been said for a while. */
  readonly certain: boolean;
}

const kinds: ReadonlyMap<string, Omit<Refusal, 'type'>> = new Map([
  ['MESSAGE_TOO_LARGE', { code: 'output_refused', certain: true }],
  ['RECORD_LIST_TOO_LARGE', { code: 'output_refused', certain: true }],
  ['INVALID_RECORD', { code: 'output_refused', certain: true }],
  ['TOPIC_AUTHORIZATION_FAILED', { code: 'output_refused', certain: true }],
  ['CLUSTER_AUTHORIZATION_FAILED', { code: 'output_refused', certain: true }],
  // Another partition of the same request was refused.
  ['OPERATION_NOT_ATTEMPTED', { code: 'output_refused', certain: false }],
  ['UNKNOWN_TOPIC_OR_PARTITION', { code: 'topic_missing', certain: false }],
  ['INVALID_TOPIC_EXCEPTION', { code: 'topic_missing', certain: false }],
  ['KafkaJSMetadataNotLoaded', { code: 'topic_missing', certain: false }],
  ['KafkaJSTopicMetadataNotLoaded', { code: 'topic_missing', certain: false }],
]);

/**
 * What an error blames on a record or a topic. Null: it may pass (leaders, coordinators, min ISR, a fence, a timeout),
 * and says nothing about what was to be written.
 */
export function refusalOf(error: unknown): Refusal | null {
  const found = namesOf(error).flatMap((type) => {
    const kind = kinds.get(type);
    return kind === undefined ? [] : [{ ...kind, type }];
  });
  return found.find(({ certain }) => certain) ?? found[0] ?? null;
}

/** The names that kafkajs gives to an error and to its causes: the broker's, where it is the broker's. */
export function namesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { type } = error as { readonly type?: unknown };
  const parts = error instanceof AggregateError ? error.errors : [];
  return [typeof type === 'string' ? type : error.name, ...namesOf(error.cause), ...parts.flatMap(namesOf)];
}
