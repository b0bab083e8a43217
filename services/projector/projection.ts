import { Failure } from '#chassis/failures.ts';
import type { FollowedBatch, FollowedRecord, FollowerHandler } from '#chassis/follower.ts';
import { stopPoint } from '#chassis/stop-point.ts';
import type { Codec } from '#schemas/codec.ts';
import type { TopicNames } from '#topics/table.ts';
import { AgentsFold } from './agents-fold.ts';
import { Changes } from './changes.ts';
import { type Client, type Database, mayBeTheValues } from './database.ts';
import { DeadLettersFold } from './dead-letters-fold.ts';
import { DecisionsFold } from './decisions-fold.ts';
import { type Fold, type FoldedBatch, loadSchemas, nothingToRemember, putError } from './fold.ts';
import { LedgerFold } from './ledger-fold.ts';
import { metrics } from './metrics.ts';
import { migrate } from './migrate.ts';
import { quoted } from './schema-name.ts';
import { StepsFold } from './steps-fold.ts';
import { type Upsert, upsertInto } from './tables.ts';

/** The topics that become tables. */
export const projectedTopics = ({
  coordination,
  steps,
  health,
  dlq,
  dlqEvents,
}: TopicNames): readonly string[] => [coordination, steps, health, dlq, dlqEvents];

export interface ProjectionSettings {
  readonly database: Database;
  /** For the migrations, which open a connection of their own. */
  readonly url: string;
  readonly schema: string;
  readonly topics: TopicNames;
  readonly codec: Codec;
  /** Where to stop, by `topic/partition`; by default nowhere. */
  readonly limits?: ReadonlyMap<string, number>;
}

/** Times in a row that the same records may fail in PostgreSQL until it is believed that they are why. */
const mostDoubts = 3;

/** Where a partition stands, as this process believes. */
interface Place {
  readonly next: number;
  /** Tells this table of offsets from one that a rebuild put into its place. */
  readonly table: number;
}

/** Somebody else has folded this partition, or a rebuild has put other tables into the place of these. */
class Moved extends Error {}

/**
 * Folds topics into the tables of one schema. The rows that a batch becomes and the offset behind it are one SQL
 * transaction, which begins by locking that offset and comparing it with the one expected: so a batch is folded once,
 * whatever dies, and of two projectors that hold one partition only one gets on.
 */
export class Projection implements FollowerHandler {
  private readonly settings: ProjectionSettings;
  private readonly folds: ReadonlyMap<string, Fold>;
  private readonly upsert: Upsert;
  private readonly offsets: string;
  private readonly places = new Map<string, Place>();
  /** How often in a row each partition has failed at the place where it stands. */
  private readonly doubts = new Map<string, { readonly next: number; readonly count: number }>();
  private migrated: Promise<void> | null = null;

  constructor(settings: ProjectionSettings) {
    this.settings = settings;
    const { topics, codec, schema } = settings;
    this.folds = new Map<string, Fold>([
      [topics.coordination, new LedgerFold(codec, schema)],
      [topics.steps, new StepsFold(codec, schema)],
      [topics.health, new AgentsFold(codec)],
      [topics.dlq, new DeadLettersFold()],
      [topics.dlqEvents, new DecisionsFold(codec)],
    ]);
    this.upsert = upsertInto(schema);
    this.offsets = `${quoted(schema)}.projector_offsets`;
  }

  async positions(partition: number): Promise<ReadonlyMap<string, number>> {
    this.migrated ??= migrate(this.settings.url, this.settings.schema);
    await this.migrated.catch((error: unknown) => {
      this.migrated = null;
      throw error;
    });
    const found = await this.reread([...this.folds.keys()], partition);
    return new Map(found.map(({ topic, next }) => [topic, next]));
  }

  /** Reads again what is true of these topics, and believes nothing else about them. */
  private async reread(
    topics: readonly string[],
    partition: number,
  ): Promise<{ topic: string; next: number; table: number }[]> {
    const { database } = this.settings;
    // The rows must be there to be locked.
    await database.query(
      `insert into ${this.offsets} (topic, partition, next_offset)
       select topic, $2::int, 0 from unnest($1::text[]) as topic on conflict do nothing`,
      [topics, partition],
    );
    const rows = await database.query<{ topic: string; next: number; table: number }>(
      `select topic, next_offset as next, tableoid::bigint as table from ${this.offsets}
        where topic = any($1::text[]) and partition = $2`,
      [topics, partition],
    );
    for (const { topic, next, table } of rows) {
      this.folds.get(topic)?.forget(partition);
      this.places.set(`${topic}/${partition}`, { next, table });
    }
    return rows;
  }

  async handle(batch: FollowedBatch): Promise<number | null> {
    const { topic, partition } = batch;
    const name = `${topic}/${partition}`;
    const stop = metrics.batchSeconds.startTimer({ topic });
    const limit = this.settings.limits?.get(name) ?? Number.POSITIVE_INFINITY;
    const from = this.places.get(name)?.next ?? 0;
    const records = batch.records.filter(({ offset }) => offset >= from && offset < limit);
    const next = Math.min(batch.next, limit);
    try {
      await loadSchemas(this.settings.codec, records);
      if (next > from) await this.commit({ topic, partition, records }, next);
      metrics.lag.set({ topic, partition }, Math.max(0, batch.end - next));
      return batch.next >= limit ? null : Math.max(batch.next, from);
    } catch (error) {
      this.folds.get(topic)?.forget(partition);
      if (!(error instanceof Moved)) throw error;
      metrics.fenced.inc();
      await this.reread([topic], partition);
      return this.places.get(name)?.next ?? 0;
    } finally {
      stop();
    }
  }

  /** A record that cannot become rows is found by halving, written down, and passed over. */
  private async commit(batch: FoldedBatch, next: number): Promise<void> {
    try {
      await this.commitOnce(batch, next, (client, changes) => this.fold(client, batch, changes));
    } catch (error) {
      if (!this.blamesRecords(batch, error)) throw error;
      const { records } = batch;
      this.folds.get(batch.topic)?.forget(batch.partition);
      if (records.length > 1) {
        const middle = Math.floor(records.length / 2);
        const second = records.slice(middle);
        await this.commit({ ...batch, records: records.slice(0, middle) }, second[0]?.offset ?? next);
        await this.commit({ ...batch, records: second }, next);
        return;
      }
      const [record] = records as [FollowedRecord];
      await this.commitOnce(batch, next, async (_client, changes) => {
        putError(changes, batch, record.offset, error);
        return nothingToRemember;
      });
    }
  }

  /**
   * What PostgreSQL refuses, and what we cannot fold. What fails three times at the same place though PostgreSQL answers
   * is not waited for any longer.
   */
  private blamesRecords({ topic, partition }: FoldedBatch, error: unknown): boolean {
    if (error instanceof Moved) return false;
    if (!(error instanceof Failure)) return true;
    if (!mayBeTheValues(error)) return false;
    const name = `${topic}/${partition}`;
    const next = this.places.get(name)?.next ?? 0;
    const before = this.doubts.get(name);
    const count = before?.next === next ? before.count + 1 : 1;
    this.doubts.set(name, { next, count });
    return count >= mostDoubts;
  }

  private fold(client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    const fold = this.folds.get(batch.topic);
    if (fold === undefined) throw new Error(`no fold for topic ${batch.topic}`);
    return fold.fold(client, batch, changes);
  }

  private async commitOnce(
    { topic, partition }: FoldedBatch,
    next: number,
    fold: (client: Client, changes: Changes) => Promise<{ committed(): void }>,
  ): Promise<void> {
    const name = `${topic}/${partition}`;
    const place = this.places.get(name);
    const changes = new Changes();
    const { memory, counts } = await this.settings.database.transaction(async (client) => {
      const { rows } = await client.query<Place>(
        `select next_offset as next, tableoid::bigint as table from ${this.offsets}
          where topic = $1 and partition = $2 for update`,
        [topic, partition],
      );
      const [found] = rows;
      if (place === undefined || found?.next !== place.next || found.table !== place.table) throw new Moved();
      const memory = await fold(client, changes);
      const counts = await changes.write(client, this.settings.schema, this.upsert);
      await client.query(`update ${this.offsets} set next_offset = $3 where topic = $1 and partition = $2`, [
        topic,
        partition,
        next,
      ]);
      stopPoint('rows-written');
      return { memory, counts };
    });
    stopPoint('rows-committed');
    memory.committed();
    if (place !== undefined) this.places.set(name, { ...place, next });
    for (const [table, count] of counts) {
      metrics.rows.inc({ table }, count);
      if (table === 'projection_errors') metrics.passedOver.inc({ topic }, count);
    }
  }
}
