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

/** Whether no broker said anything, as it could not be reached or did not answer in time. */
export function isUnreachable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (unreachable.has(cause.name)) return brokerErrorType(error) === null;
  return false;
}

/** Whether another try, or another broker, may do better. */
export const passes = (error: unknown): boolean =>
  brokerErrorType(error) === null ? isUnreachable(error) : !isRefusal(error);

/** kafkajs's names for it. */
const unreachable: ReadonlySet<string> = new Set([
  'KafkaJSBrokerNotFound',
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSRequestTimeoutError',
]);

function brokerError(error: unknown): { readonly type: string; readonly retriable: unknown } | null {
  let found: { readonly type: string; readonly retriable: unknown } | null = null;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('type' in cause && typeof cause.type === 'string')
      found = { type: cause.type, retriable: 'retriable' in cause ? cause.retriable : undefined };
  }
  return found;
}
