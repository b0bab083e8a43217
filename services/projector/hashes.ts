import type { Client } from './database.ts';
import { quoted } from './schema-name.ts';
import { type TableName, tableNames } from './tables.ts';

export interface TableHash {
  readonly table: TableName;
  readonly rows: number;
  /** SHA-256 (hex) over the hashes of all rows, in their own order: the order of writing does not matter. */
  readonly hash: string;
}

/**
 * Hashes of all tables that records become rows of. Equal for equal rows. Offsets are not among them: whether a control
 * record at the very end was seen already makes no row.
 */
export async function tableHashes(client: Pick<Client, 'query'>, schema: string): Promise<TableHash[]> {
  const hashes: TableHash[] = [];
  for (const table of tableNames) {
    const { rows } = await client.query<{ rows: number; hash: string }>(
      `select count(*) as rows,
              encode(sha256(coalesce(string_agg(row_hash, ''::bytea order by row_hash), ''::bytea)), 'hex') as hash
         from (select decode(md5(each::text), 'hex') as row_hash from ${quoted(schema)}.${table} each) hashed`,
    );
    hashes.push({ table, rows: rows[0]?.rows ?? 0, hash: rows[0]?.hash ?? '' });
  }
  return hashes;
}
