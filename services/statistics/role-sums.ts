import { Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import type { Outbox } from '#chassis/outbox.ts';
import type { InputRecord, PartitionLogic, Urgency } from '#chassis/processor.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { statisticsEvent, totalsOf } from './event.ts';
import { sumOf } from './role-totals.ts';

export interface RoleSumsSettings {
  readonly topics: Pick<TopicNames, 'roles'>;
  readonly codec: Codec;
  readonly log: Logger;
}

type Part = EventOf<'role_statistics'>;

/** The figures of every role over the whole ledger: the newest of each of its partitions, added up. */
export class RoleSums implements PartitionLogic {
  private readonly settings: RoleSumsSettings;
  /** By role, and then by partition of the ledger. */
  private readonly parts = new Map<string, Map<number, Part>>();
  private readonly changed = new Map<string, Part>();
  private readonly toTell = new Set<string>();
  private readonly restoring = new Map<string, Buffer>();

  constructor(settings: RoleSumsSettings) {
    this.settings = settings;
  }

  restore(key: string, value: Buffer | null): void {
    if (value === null) this.restoring.delete(key);
    else this.restoring.set(key, value);
  }

  restored(): void {
    const { codec, log } = this.settings;
    for (const [key, bytes] of this.restoring) {
      try {
        const { name, value } = codec.decode(bytes);
        if (name !== 'RoleStatistics') throw new Failure('internal_error', `found ${name}`);
        this.put(value);
      } catch (error) {
        // The part comes again, whole, with the next fact of its role.
        log.error({ key, code: 'changelog_broken', error: String(error) }, 'a record is left out');
      }
    }
    this.restoring.clear();
  }

  ready(): boolean {
    return true;
  }

  handle(record: InputRecord): Urgency {
    const { name, value } = record.decoded;
    if (name !== 'RoleStatistics')
      throw new Failure('unexpected_type', `found ${name} on ${record.topic}, expected RoleStatistics`);
    this.put(value);
    const { role, partition } = value.payload;
    this.changed.set(`${role}/${partition}`, value);
    this.toTell.add(role);
    return 'lazy';
  }

  private put(part: Part): void {
    const { role, partition } = part.payload;
    this.parts.set(role, (this.parts.get(role) ?? new Map<number, Part>()).set(partition, part));
  }

  conclude(out: Outbox): void {
    const { topics, codec } = this.settings;
    for (const role of this.toTell) {
      const parts = [...(this.parts.get(role)?.values() ?? [])];
      const at = Math.max(...parts.map(({ timestamp }) => timestamp));
      const value = codec.encode(statisticsEvent(role, -1, sumOf(parts.map(totalsOf)), at));
      out.send(topics.roles, { key: role, value, partition: 0 });
    }
    this.toTell.clear();
  }

  nextAlarm(): null {
    return null;
  }

  alarm(): void {}

  *changes(): Iterable<readonly [string, Buffer | null]> {
    for (const [key, part] of this.changed) yield [key, this.settings.codec.encode(part)];
    this.changed.clear();
  }

  close(): void {
    this.parts.clear();
  }
}
