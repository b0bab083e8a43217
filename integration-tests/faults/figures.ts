/** What comes out of a campaign, as `--json` prints it. */
export interface Figures {
  readonly seed: number;
  readonly form: 'whole' | 'short';
  readonly started_at: string;
  readonly seconds: number;
  readonly machine: { readonly cores: number; readonly memory_gb: number; readonly node: string };
  readonly services: readonly string[];
  readonly total: Totals;
  readonly faults: readonly FaultFigures[];
  readonly skipped: readonly { readonly fault: string; readonly reason: string }[];
  readonly violations: readonly { readonly kind: string; readonly mission: string; readonly what: string }[];
  /** By service. */
  readonly memory: Readonly<
    Record<string, { readonly peak_mb: number; readonly mb_per_minute: number | null }>
  >;
}

export interface Totals extends Counts {
  readonly missions: number;
  readonly facts: number;
  readonly steps_repeated: number;
  readonly submitted_twice: number;
  readonly dead_letters: number;
  readonly reviews_answered: number;
  readonly reconciled: number;
  readonly recovery_p50_ms: number | null;
  readonly recovery_p99_ms: number | null;
  readonly longest_stall_ms: number;
}

export interface Counts {
  readonly lost: number;
  readonly duplicated: number;
  /** Records outside transactions that are there twice, byte for byte, without effect: allowed. */
  readonly repeated: number;
  readonly stuck: number;
  /** Any other lie: a chain that does not hold, a task before its needs, a timer after the end. */
  readonly wrong: number;
}

export interface FaultFigures extends Counts {
  readonly fault: string;
  readonly how: string;
  readonly injected: Readonly<Record<string, number>>;
  readonly missions: number;
  readonly seconds: number;
  readonly recovery_p50_ms: number | null;
  readonly recovery_p99_ms: number | null;
  readonly longest_stall_ms: number;
  /** Of which the intent is on the log more than once. */
  readonly model_calls_repeated: number;
  readonly tool_calls_repeated: number;
  /** Processes that ended by themselves, to be started again. */
  readonly crashes: number;
}

export const isClean = ({ lost, duplicated, stuck, wrong }: Counts): boolean =>
  lost + duplicated + stuck + wrong === 0;

const ms = (value: number | null) =>
  value === null ? '–' : value < 10_000 ? `${value} ms` : `${(value / 1000).toFixed(1)} s`;

/** One row a fault: the same in the terminal and in the document. */
export function rowsOf(figures: Figures): string[][] {
  const head = [
    'fault',
    'done',
    'missions',
    'lost',
    'duplicated',
    'repeated',
    'stuck',
    'wrong',
    'recovery p50',
    'p99',
    'longest stall',
    'model calls again',
    'tool calls again',
  ];
  const rows = figures.faults.map((fault) => [
    fault.fault,
    Object.entries(fault.injected)
      .map(([what, times]) => `${what.replaceAll('_', ' ')} ${times}`)
      .join(', '),
    String(fault.missions),
    String(fault.lost),
    String(fault.duplicated),
    String(fault.repeated),
    String(fault.stuck),
    String(fault.wrong),
    ms(fault.recovery_p50_ms),
    ms(fault.recovery_p99_ms),
    ms(fault.longest_stall_ms),
    String(fault.model_calls_repeated),
    String(fault.tool_calls_repeated),
  ]);
  const { total } = figures;
  const sum = (field: 'model_calls_repeated' | 'tool_calls_repeated') =>
    String(figures.faults.reduce((all, fault) => all + fault[field], 0));
  const last = [
    'all',
    '',
    String(total.missions),
    String(total.lost),
    String(total.duplicated),
    String(total.repeated),
    String(total.stuck),
    String(total.wrong),
    ms(total.recovery_p50_ms),
    ms(total.recovery_p99_ms),
    ms(total.longest_stall_ms),
    sum('model_calls_repeated'),
    sum('tool_calls_repeated'),
  ];
  return [head, ...rows, last];
}

/** Columns of equal width; what was done is long, and comes below its row. */
export function terminalTable(figures: Figures): string {
  const rows = rowsOf(figures).map((row) => row.filter((_, i) => i !== 1));
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')).join('\n');
}
