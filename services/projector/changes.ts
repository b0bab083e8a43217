import type { Client } from './database.ts';
import { quoted } from './schema-name.ts';
import { mergeRows, type TableName, type Upsert } from './tables.ts';

/** What a batch changes: at most one row for each key of each table, and the keys that go. */
export class Changes {
  private readonly upserts = new Map<TableName, Map<string, object>>();
  private readonly removals = new Map<'mission_states' | 'agents', Set<string>>();

  /** `key` tells rows of the table apart. */
  put(name: TableName, key: string, row: object): void {
    let rows = this.upserts.get(name);
    if (rows === undefined) {
      rows = new Map();
      this.upserts.set(name, rows);
    }
    const before = rows.get(key);
    rows.set(key, before === undefined ? row : mergeRows(name, before, row));
    if (name === 'mission_states' || name === 'agents') this.removals.get(name)?.delete(key);
  }

  remove(name: 'mission_states' | 'agents', key: string): void {
    this.upserts.get(name)?.delete(key);
    const keys = this.removals.get(name) ?? new Set();
    this.removals.set(name, keys.add(key));
  }

  /** Answers how many rows each table was sent. */
  async write(client: Client, schema: string, upsert: Upsert): Promise<ReadonlyMap<TableName, number>> {
    const counts = new Map<TableName, number>();
    for (const [name, rows] of this.upserts) {
      await upsert(client, name, [...rows.values()]);
      counts.set(name, rows.size);
    }
    for (const [name, keys] of this.removals) {
      const key = name === 'agents' ? 'agent' : 'mission_id';
      if (keys.size === 0) continue;
      await client.query(`delete from ${quoted(schema)}.${name} where ${key} = any($1::text[])`, [[...keys]]);
    }
    return counts;
  }
}

/** The key of a row, of texts that may hold anything. */
export const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts);
