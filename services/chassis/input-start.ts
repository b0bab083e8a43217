import { setTimeout as sleep } from 'node:timers/promises';
import { reportGap, reportRewind } from './gaps.ts';
import type { Logger } from './log.ts';
import { type FetchControl, type Patience, usualPatience } from './partition-settings.ts';

/**
 * Where to go on with an input of a partition. A log that ends before what was read of it is another log than then:
 * the topic was made anew, or its end is lost. It is read from its beginning, as what is new there was never read;
 * what was read before is recognised by its ids.
 */
export async function startOfInput(
  control: Pick<FetchControl, 'ends'>,
  log: Logger,
  place: { readonly topic: string; readonly partition: number; readonly restored: number | undefined },
  { rewindAsks, rewindMs }: Pick<Patience, 'rewindAsks' | 'rewindMs'> = usualPatience,
): Promise<number> {
  const { topic, partition, restored } = place;
  let { low, high } = await control.ends(topic, partition);
  if (restored === undefined) return low;
  for (let asked = 1; restored > high && asked < rewindAsks; asked++) {
    await sleep(rewindMs);
    ({ low, high } = await control.ends(topic, partition));
  }
  if (restored > high) {
    reportRewind(log, topic, restored, high, low);
    return low;
  }
  if (restored < low) reportGap(log, topic, restored, low);
  return Math.max(restored, low);
}
