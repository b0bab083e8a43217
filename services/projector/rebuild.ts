import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '#chassis/failures.ts';
import { startFollower } from '#chassis/follower.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { type Client, type Database, openDatabase } from './database.ts';
import { type TableHash, tableHashes } from './hashes.ts';
import { withLock } from './lock.ts';
import { Projection, projectedTopics } from './projection.ts';
import { quoted, schemaName } from './schema-name.ts';
import type { TableName } from './tables.ts';

/** How long the live projector may be held while the last records are folded. */
const holdMs = 10_000;
const mostTries = 20;
const statementMs = 30 * 60_000;
const sessionTimeoutMs = 10_000;
const stopMs = 10_000;

export interface RebuildProgress {
  readonly phase: 'folding' | 'swapping' | 'comparing';
  /** Offsets passed, of all that there were at the start. */
  readonly folded: number;
  readonly total: number;
}

export interface RebuildSettings
  extends Pick<ServiceContext, 'kafka' | 'admin' | 'codec' | 'topics' | 'log'> {
  /** The namespace. */
  readonly prefix: string;
  /** postgres://… */
  readonly url: string;
  readonly signal: AbortSignal;
  readonly progress?: (progress: RebuildProgress) => void;
}

export interface Rebuilt {
  readonly schema: string;
  /** Offsets passed. */
  readonly folded: number;
}

export interface Comparison {
  readonly equal: boolean;
  readonly tables: readonly {
    readonly table: TableName;
    readonly equal: boolean;
    readonly live: TableHash;
    readonly rebuilt: TableHash;
  }[];
}

/** The next offset, by `topic/partition`. */
type Positions = ReadonlyMap<string, number>;

/**
 * Folds all topics from their beginning into fresh tables and puts these into the place of the live ones. The projector
 * may run meanwhile: it is held for the moment of the exchange, finds other tables, and goes on with them. Throws
 * Failures `database_unavailable`, `broker_unavailable`, `deadline_exceeded`; the live tables are as they were then.
 */
export async function rebuild(settings: RebuildSettings): Promise<Rebuilt> {
  const schema = schemaName(settings.prefix);
  return inRoom(settings, async ({ database, fresh, signal }) => {
    const ends = await endsOf(settings);
    const fold = await startFold({ ...settings, signal }, database, fresh);
    try {
      await fold.reach(ends);
      settings.progress?.({ ...fold.progress(), phase: 'swapping' });
      await exchange(database, { schema, fresh, fold, known: ends });
      return { schema, folded: fold.progress().total };
    } finally {
      await fold.stop();
    }
  });
}

/**
 * Folds all topics again as far as the live tables have them, and compares the two. What the broker has compacted or
 * deleted since cannot be folded again: the agents of a long time ago, or steps beyond their retention, may differ.
 */
export async function compareWithLive(settings: RebuildSettings): Promise<Comparison> {
  const schema = schemaName(settings.prefix);
  return inRoom(settings, async ({ database, fresh, signal }) => {
    const live = await database.transaction(async (client) => {
      await client.query('set transaction isolation level repeatable read, read only');
      return { positions: await positionsOf(client, schema), hashes: await tableHashes(client, schema) };
    });
    const fold = await startFold({ ...settings, signal }, database, fresh, live.positions);
    try {
      const ends = await endsOf(settings);
      await fold.reach(new Map([...live.positions].filter(([place]) => ends.has(place))));
    } finally {
      await fold.stop();
    }
    settings.progress?.({ ...fold.progress(), phase: 'comparing' });
    const rebuilt = await database.transaction((client) => tableHashes(client, fresh));
    const tables = live.hashes.flatMap((hash, i) => {
      const other = rebuilt[i];
      if (other === undefined) return [];
      return { table: hash.table, equal: hash.hash === other.hash, live: hash, rebuilt: other };
    });
    return { equal: tables.every(({ equal }) => equal), tables };
  });
}

interface Room {
  readonly database: Database;
  /** The schema to fold into; nothing is left of it afterwards. */
  readonly fresh: string;
  readonly signal: AbortSignal;
}

/** One rebuild of a namespace at a time, beginning and ending without leftovers. */
async function inRoom<T>(settings: RebuildSettings, work: (room: Room) => Promise<T>): Promise<T> {
  const schema = schemaName(settings.prefix);
  const fresh = `${schema}_rebuild_1`;
  const database = openDatabase({
    url: settings.url,
    application: `rebuild of ${schema}`,
    statementMs,
    log: settings.log,
  });
  const clear = async () => {
    await database.query(`drop schema if exists ${quoted(fresh)} cascade`);
    await database.query(`drop schema if exists ${quoted(oldName(schema))} cascade`);
  };
  try {
    return await withLock(
      { url: settings.url, name: `rebuild of ${schema}`, signal: settings.signal },
      async (signal) => {
        await clear();
        try {
          return await work({ database, fresh, signal });
        } finally {
          await clear().catch((error: unknown) => settings.log.warn({ error: String(error) }, 'leftovers'));
        }
      },
    );
  } finally {
    await database.close();
  }
}

const oldName = (schema: string) => `${schema}_rebuild_0`;

interface RunningFold {
  /** Waits until everything before these positions is folded. */
  reach(positions: Positions, deadlineMs?: number): Promise<void>;
  progress(): Omit<RebuildProgress, 'phase'>;
  stop(): Promise<void>;
}

async function startFold(
  settings: RebuildSettings,
  database: Database,
  schema: string,
  limits?: Positions,
): Promise<RunningFold> {
  const { kafka, admin, codec, topics, log, prefix, url, signal } = settings;
  let crashed: Failure | null = null;
  const follower = await startFollower({
    kafka,
    admin,
    // Of the groups that a person may make.
    groupId: `${prefix}.reader-rebuild-${randomUUID()}`,
    topics: projectedTopics(topics),
    handler: new Projection({ database, url, schema, topics, codec, ...(limits && { limits }) }),
    sessionTimeoutMs,
    log,
    crash: (failure) => {
      crashed ??= failure;
    },
    deleteGroup: true,
  });
  const totals = limits ?? (await endsOf(settings));
  const total = [...totals.values()].reduce((sum, end) => sum + end, 0);
  const positionOf = (place: string) => {
    const slash = place.lastIndexOf('/');
    return follower.position(place.slice(0, slash), Number(place.slice(slash + 1)));
  };
  const progress = () => ({
    folded: [...totals].reduce((sum, [place, end]) => sum + Math.min(end, positionOf(place) ?? 0), 0),
    total,
  });
  let stopped: Promise<void> | null = null;
  return {
    progress,
    async reach(positions, deadlineMs = Number.POSITIVE_INFINITY) {
      const since = performance.now();
      for (let toldAt = 0; ; await sleep(20)) {
        if (crashed !== null) throw crashed;
        signal.throwIfAborted();
        const missing = [...positions].filter(([place, end]) => end > 0 && (positionOf(place) ?? -1) < end);
        if (missing.length === 0) return;
        if (performance.now() - since > deadlineMs) {
          throw new Failure('deadline_exceeded', `not folded in ${deadlineMs} ms: ${missing.join('; ')}`);
        }
        if (performance.now() - toldAt > 200) {
          toldAt = performance.now();
          settings.progress?.({ ...progress(), phase: 'folding' });
        }
      }
    },
    stop() {
      stopped ??= follower.stop(stopMs);
      return stopped;
    },
  };
}

/** Puts the fresh tables into the place of the live ones, when the fresh have all that the live ones have. */
async function exchange(
  database: Database,
  to: {
    readonly schema: string;
    readonly fresh: string;
    readonly fold: RunningFold;
    readonly known: Positions;
  },
): Promise<void> {
  const { schema, fresh, fold, known } = to;
  const inReach = (positions: Positions) => new Map([...positions].filter(([place]) => known.has(place)));
  for (let tries = 1; ; tries += 1) {
    await fold.reach(inReach(await database.transaction((client) => positionsOf(client, schema))));
    try {
      await database.transaction(async (client) => {
        if (await exists(client, schema)) {
          // Whoever folds into the live tables waits here, and finds the others afterwards.
          await client.query(`lock table ${quoted(schema)}.projector_offsets in exclusive mode`);
          await fold.reach(inReach(await positionsOf(client, schema)), holdMs);
          await client.query(`alter schema ${quoted(schema)} rename to ${quoted(oldName(schema))}`);
        }
        await fold.stop();
        await client.query(`alter schema ${quoted(fresh)} rename to ${quoted(schema)}`);
      });
      return;
    } catch (error) {
      const late = error instanceof Failure && error.code === 'deadline_exceeded';
      if (!late || tries >= mostTries) throw error;
    }
  }
}

async function exists(client: Client, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
    `${quoted(schema)}.projector_offsets`,
  ]);
  return rows[0]?.found === true;
}

async function positionsOf(client: Client, schema: string): Promise<Positions> {
  if (!(await exists(client, schema))) return new Map();
  const { rows } = await client.query<{ place: string; next: number }>(
    `select topic || '/' || partition as place, next_offset as next from ${quoted(schema)}.projector_offsets`,
  );
  return new Map(rows.map(({ place, next }) => [place, next]));
}

/** Where the topics end now. Partitions without records are left out. */
async function endsOf({ admin, topics }: RebuildSettings): Promise<Positions> {
  const ends = new Map<string, number>();
  for (const topic of projectedTopics(topics)) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) ends.set(`${topic}/${partition}`, Number(high));
    }
  }
  return ends;
}
