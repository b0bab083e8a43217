import type { Logger } from './log.ts';
import { metrics } from './metrics.ts';

/** Retention was faster than we were: said, counted, and not to be mended. */
export function reportGap(log: Logger, topic: string, expected: number, found: number): void {
  metrics.inputGaps.inc({ topic }, found - expected);
  const fields = { code: 'input_gap', topic, expected, found };
  log.error(fields, 'records were deleted before they were read');
}

/** The log ends before what was read of it. */
export function reportRewind(log: Logger, topic: string, read: number, end: number, from: number): void {
  metrics.inputGaps.inc({ topic }, read - end);
  const fields = { code: 'input_rewound', topic, read, end, from };
  log.error(
    fields,
    'the topic ends before what was read of it: it is another one than then, and is read from its beginning',
  );
}
