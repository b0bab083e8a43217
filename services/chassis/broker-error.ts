/**
 * What the broker said, by Kafka's name for it (`NOT_LEADER_FOR_PARTITION`); kafkajs and we wrap its errors, and the last
 * in the chain of causes is the broker's own. Null when no broker said anything: it could not be reached, or was silent.
 */
export const brokerErrorType = (error: unknown): string | null => brokerError(error)?.type ?? null;

/** Whether it is the broker's no to what was asked, as against a no that passes. */
export function isRefusal(error: unknown): boolean {
  const found = brokerError(error);
  // kafkajs has it as final; it passes when the last transaction of the producer has ended.
  return found !== null && found.retriable === false && found.type !== 'CONCURRENT_TRANSACTIONS';
}

function brokerError(error: unknown): { readonly type: string; readonly retriable: unknown } | null {
  let found: { readonly type: string; readonly retriable: unknown } | null = null;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('type' in cause && typeof cause.type === 'string')
      found = { type: cause.type, retriable: 'retriable' in cause ? cause.retriable : undefined };
  }
  return found;
}
