import { setTimeout as sleep } from 'node:timers/promises';
import type { Codec } from '#schemas/codec.ts';
import { loadSchema } from './decode-record.ts';
import { asFailure } from './failures.ts';
import type { Logger } from './log.ts';

const firstPauseMs = 100;
const longestPauseMs = 5000;

/**
 * Loads the schema of these bytes, and waits for as long as the registry is away: nobody else can read them either, a
 * restart would need the registry just as much, and what is in memory is worth keeping. Says so at every try.
 */
export async function loadPatiently(
  codec: Codec,
  value: Buffer,
  to: { readonly over: () => boolean; readonly failed: () => void; readonly log: Logger },
): Promise<void> {
  for (let pause = firstPauseMs; !to.over(); pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return await loadSchema(codec, value);
    } catch (error) {
      const { code, message } = asFailure(error, 'registry_unavailable');
      to.log.warn({ code, error: message, retry_in_ms: pause }, 'a schema cannot be loaded, waiting');
      to.failed();
      await sleep(pause);
    }
  }
}
