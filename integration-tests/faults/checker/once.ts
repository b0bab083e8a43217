import { createHash } from 'node:crypto';
import type { Violations } from './violations.ts';

/** In a transaction every record is there once. Outside one, an idempotent producer that was exchanged may repeat it. */
export type Written = 'in a transaction' | 'outside transactions';

/** The SHA-256 of the Avro body: the five bytes of the registry's header are no part of what is vouched for. */
export const bodyHash = (bytes: Buffer): string =>
  createHash('sha256').update(bytes.subarray(5)).digest('hex');

/** Tells the first record of a name from those that come again. */
export class Once {
  private readonly hashes = new Map<string, string>();
  private readonly violations: Violations;

  constructor(violations: Violations) {
    this.violations = violations;
  }

  /** Whether nothing of this name was there before. */
  take(mission: string, name: string, bytes: Buffer, written: Written): boolean {
    const hash = createHash('sha1').update(bytes).digest('base64');
    const before = this.hashes.get(name);
    if (before === undefined) {
      this.hashes.set(name, hash);
      return true;
    }
    if (before !== hash) this.violations.add('duplicated', mission, `${name} twice, with different bytes`);
    else if (written === 'in a transaction') this.violations.add('duplicated', mission, `${name} twice`);
    else this.violations.repeated += 1;
    return false;
  }
}
