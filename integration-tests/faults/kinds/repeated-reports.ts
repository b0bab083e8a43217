import { setTimeout as sleep } from 'node:timers/promises';
import { writtenBy } from '../checker/report-book.ts';
import type { Fault } from '../fault.ts';

const repeatable = new Set([
  'task_completed',
  'task_attempt_failed',
  'task_released',
  'review_requested',
  'task_heartbeat',
]);

/** What goes outside transactions may be written twice; here all of it is, byte by byte, at once or much later. */
export const repeatedReports: Fault = {
  name: 'repeated-reports',
  how: 'each report that is sent outside a transaction comes again, at once or seconds later',
  async inject(swarm, random, signal) {
    const { checker, context } = swarm;
    const sends: Promise<unknown>[] = [];
    const own = new Set<string>();
    const stop = checker.onReport((report, key, value) => {
      const { event_id, event_type } = report;
      // What comes in a transaction is there once: two of it are what the checker looks for.
      if (writtenBy(report) === 'in a transaction') return;
      if (!repeatable.has(event_type) || own.has(event_id)) return;
      own.add(event_id);
      const late = random.chance(0.5) ? 0 : random.int(200, 4000);
      const again = sleep(late).then(() => context.publisher.send(context.topics.reports, [{ key, value }]));
      sends.push(again);
    });
    await sleep(swarm.size(30_000, 8000), undefined, { signal });
    stop();
    await Promise.all(sends);
    return { reports: sends.length };
  },
};
