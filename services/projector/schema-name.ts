import { createHash } from 'node:crypto';

/** PostgreSQL cuts longer names, and a rebuild adds to them. */
const longest = 44;

/**
 * The schema that a namespace is projected into: its prefix where that is a plain name, so that `ravenhelm` is
 * `ravenhelm`. Where characters had to give way, a piece of a hash keeps namespaces apart that would look the same.
 */
export function schemaName(prefix: string): string {
  const plain = prefix.replaceAll(/[^a-z0-9_]/g, '_');
  const reserved = /^(pg_|public$|information_schema$)/.test(plain);
  if (plain === prefix && plain.length <= longest && !reserved) return plain;
  const hash = createHash('sha256').update(prefix).digest('hex').slice(0, 8);
  return `${reserved ? 'ravenhelm_' : ''}${plain}`.slice(0, longest - 9) + `_${hash}`;
}

/** A schema's name inside SQL text. */
export function quoted(schema: string): string {
  return `"${schema.replaceAll('"', '""')}"`;
}
