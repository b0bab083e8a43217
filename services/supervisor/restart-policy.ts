/** When a service that ended is started again. Times in ms. */
export interface RestartPolicy {
  readonly initialMs: number;
  readonly mostMs: number;
  /** After having run this long, the next pause is `initialMs` again. */
  readonly healthyMs: number;
  /** More ends than this of runs that had become ready, within `windowMs`, and it is not started again. */
  readonly budget: number;
  readonly windowMs: number;
}

export const defaultPolicy: RestartPolicy = {
  initialMs: 200,
  mostMs: 10_000,
  healthyMs: 60_000,
  budget: 30,
  windowMs: 600_000,
};

/** One run of a service; times of one clock, ms. */
export interface Run {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Null: a signal. */
  readonly exitCode: number | null;
  readonly wasReady: boolean;
}

/** How a service has ended lately. */
export interface RestartHistory {
  /** Times of the ends that count against the budget. */
  readonly ends: readonly number[];
  /** Ends in a row, each too soon after its start. */
  readonly inRow: number;
}

export const noHistory: RestartHistory = { ends: [], inRow: 0 };

export type Verdict =
  | { readonly kind: 'restart'; readonly afterMs: number }
  | { readonly kind: 'give_up'; readonly why: string };

/** What the chassis exits with when its configuration is wrong: another start would read the same. */
const badConfiguration = 2;

/**
 * What to do with a service that has ended. Only the ends of runs that had become ready count against the budget: a
 * service that cannot even start waits for something (the brokers, the registry), and is tried until that is there.
 */
export function afterEnd(
  history: RestartHistory,
  { startedAt, endedAt, exitCode, wasReady }: Run,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly verdict: Verdict } {
  const recent = history.ends.filter((at) => at > endedAt - policy.windowMs);
  const ends = wasReady ? [...recent, endedAt] : recent;
  const inRow = endedAt - startedAt >= policy.healthyMs ? 1 : history.inRow + 1;
  const next = { ends, inRow };
  if (exitCode === badConfiguration) {
    return { history: next, verdict: { kind: 'give_up', why: 'its configuration is wrong (exit code 2)' } };
  }
  if (ends.length > policy.budget) {
    const why = `it became ready and ended ${ends.length} times within ${Math.round(policy.windowMs / 1000)} s`;
    return { history: next, verdict: { kind: 'give_up', why } };
  }
  // The exponent is bounded, as 2 ** 2000 is Infinity and Infinity * 0 is not a time.
  const afterMs = Math.min(policy.mostMs, policy.initialMs * 2 ** Math.min(inRow - 1, 30));
  return { history: next, verdict: { kind: 'restart', afterMs } };
}
