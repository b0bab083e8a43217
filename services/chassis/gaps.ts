import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';

/** Retention was faster than we were: said, counted, and not to be mended. */
export function reportGap(log: Logger, topic: string, expected: number, found: number): void {
  metrics.inputGaps.inc({ topic }, found - expected);
  const fields = { code: 'input_gap', topic, expected, found };
  log.error(fields, 'records were deleted before they were read');
}
