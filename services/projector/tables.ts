import type { Client } from './database.ts';
import { quoted } from './schema-name.ts';

/** How a row that is there already takes in a newer one. `null` in a newer one means that it says nothing of that. */
type Merge =
  /** The newer value counts. */
  | 'replace'
  /** The newer value counts, unless it is null. */
  | 'last'
  /** The older value counts, unless it is null. */
  | 'first';

export interface Table {
  readonly key: readonly string[];
  /** SQL types of the columns, as `json_to_recordset` reads them. */
  readonly columns: Readonly<Record<string, string>>;
  /** Of the columns beside the key; those left out are replaced. */
  readonly merge?: Readonly<Record<string, Merge>>;
  /** Columns that count up: a row that is not ahead of the one there changes nothing; see `steps`. */
  readonly ahead?: readonly [restart: string, count: string];
}

const text = 'text';
const int = 'int';
const bigint = 'bigint';
const time = 'timestamptz';
const usage = {
  input_tokens: bigint,
  output_tokens: bigint,
  cache_read_tokens: bigint,
  cache_write_tokens: bigint,
  cost_usd: 'double precision',
};

const lasting = <T extends Readonly<Record<string, string>>>(columns: T): Record<string, Merge> =>
  Object.fromEntries(Object.keys(columns).map((column) => [column, 'last']));

const attempt = {
  role: text,
  status: text,
  lease: int,
  agent: text,
  ended_at: time,
  retry_at: time,
  code: text,
  message: text,
  steps: int,
  journal_hash: text,
  duration_ms: bigint,
  ...usage,
};

const step = {
  kind: text,
  role: text,
  agent: text,
  partition: int,
  offset: bigint,
  status: text,
  name: text,
  provider: text,
  effect: text,
  input: text,
  output: text,
  tool_calls: 'jsonb',
  truncated: 'boolean',
  stop_reason: text,
  code: text,
  message: text,
  started_at: time,
  ended_at: time,
  duration_ms: bigint,
  ...usage,
};

const modelCall = {
  role: text,
  provider: text,
  model: text,
  status: text,
  at: time,
  input_tokens: bigint,
  output_tokens: bigint,
  cache_read_tokens: bigint,
  cache_write_tokens: bigint,
  cost_nanos: bigint,
};

const review = {
  task_id: text,
  kind: text,
  reason: text,
  tool: text,
  arguments: text,
  arguments_hash: text,
  status: text,
  reviewer: text,
  comment: text,
  requested_at: time,
  expires_at: time,
  completed_at: time,
};

/** Every table that records become rows of; `migrations/` creates them. */
export const tables = {
  missions: {
    key: ['mission_id'],
    columns: {
      mission_id: text,
      partition: int,
      name: text,
      brief: text,
      status: text,
      priority: text,
      policy: 'jsonb',
      waves: int,
      tasks: int,
      in_flight: int,
      completed: int,
      failed: int,
      cancelled: int,
      created_at: time,
      updated_at: time,
      ended_at: time,
      deadline_at: time,
      sequence: bigint,
      head_hash: text,
      traceparent: text,
      result: text,
      code: text,
      message: text,
      parent_mission_id: text,
      parent_task_id: text,
      depth: int,
    },
    merge: { result: 'last', code: 'last', message: 'last' },
  },
  tasks: {
    key: ['mission_id', 'task_id'],
    columns: {
      mission_id: text,
      task_id: text,
      position: int,
      role: text,
      wave: int,
      description: text,
      needs: 'text[]',
      timeout_ms: bigint,
      max_attempts: int,
      compensates: text,
      status: text,
      attempt: int,
      lease: int,
      agent: text,
      started_at: time,
      ended_at: time,
      retry_at: time,
      result: text,
      code: text,
      message: text,
      waiting_for: text,
      caused_by: text,
    },
  },
  attempts: {
    key: ['mission_id', 'task_id', 'attempt'],
    columns: {
      mission_id: text,
      task_id: text,
      attempt: int,
      assigned_at: time,
      started_at: time,
      ...attempt,
    },
    merge: { ...lasting(attempt), assigned_at: 'first', started_at: 'first' },
  },
  timeline: {
    key: ['mission_id', 'sequence'],
    columns: {
      mission_id: text,
      sequence: bigint,
      partition: int,
      offset: bigint,
      event_type: text,
      source: text,
      target: text,
      task_id: text,
      causation_id: text,
      at: time,
      payload: 'jsonb',
    },
  },
  mission_states: {
    key: ['mission_id'],
    columns: { mission_id: text, state: 'bytea', plan: 'bytea' },
    merge: { plan: 'last' },
  },
  steps: {
    key: ['mission_id', 'task_id', 'attempt', 'step'],
    columns: {
      mission_id: text,
      task_id: text,
      attempt: int,
      step: int,
      lease: int,
      sequence: bigint,
      ...step,
    },
    merge: lasting(step),
    ahead: ['lease', 'sequence'],
  },
  model_calls: {
    key: ['mission_id', 'task_id', 'attempt', 'lease', 'step'],
    columns: {
      mission_id: text,
      task_id: text,
      attempt: int,
      lease: int,
      step: int,
      sequence: bigint,
      ...modelCall,
    },
    merge: lasting(modelCall),
    ahead: ['lease', 'sequence'],
  },
  resumed_journals: {
    key: ['mission_id', 'task_id', 'attempt'],
    columns: { mission_id: text, task_id: text, attempt: int, lease: int },
  },
  reviews: {
    key: ['mission_id', 'review_id'],
    columns: { mission_id: text, review_id: text, ...review },
    merge: lasting(review),
  },
  mission_budgets: {
    key: ['mission_id'],
    columns: {
      mission_id: text,
      at_limit: text,
      max_tokens: bigint,
      max_cost_nanos: bigint,
      max_calls: bigint,
      reserved_tokens: bigint,
      reserved_cost_nanos: bigint,
      reserved_calls: bigint,
      spent_tokens: bigint,
      spent_cost_nanos: bigint,
      spent_calls: bigint,
      updated_at: time,
    },
  },
  agents: {
    key: ['agent'],
    columns: {
      agent: text,
      service: text,
      roles: 'text[]',
      pid: bigint,
      host: text,
      state: text,
      running: int,
      capacity: int,
      code_version: text,
      started_at: time,
      seen_at: time,
    },
  },
  dead_letters: {
    key: ['partition', 'offset'],
    columns: {
      partition: int,
      offset: bigint,
      key: text,
      topic: text,
      topic_partition: int,
      topic_offset: bigint,
      stage: text,
      code: text,
      message: text,
      attempts: int,
      redrives: int,
      schema_id: bigint,
      size: int,
      code_version: text,
      failed_at: time,
      produced_at: time,
    },
  },
  dead_letter_decisions: {
    key: ['partition', 'offset'],
    columns: {
      partition: int,
      offset: bigint,
      letter_partition: int,
      letter_offset: bigint,
      decision: text,
      decided_by: text,
      reason: text,
      detail: text,
      request: text,
      decided_at: time,
    },
  },
  projection_errors: {
    key: ['topic', 'partition', 'offset'],
    columns: { topic: text, partition: int, offset: bigint, code: text, message: text },
  },
} as const satisfies Record<string, Table>;

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as readonly TableName[];

const column = (name: string) => `"${name}"`;

/** The statement that puts any number of rows, one JSON array, into a table. */
function upsertSql(schema: string, name: TableName): string {
  const { key, columns, merge = {}, ahead }: Table = tables[name];
  const names = Object.keys(columns);
  const list = names.map(column).join(', ');
  const record = names.map((each) => `${column(each)} ${columns[each]}`).join(', ');
  const source = `select ${list} from json_to_recordset($1::json) as row(${record})`;
  const insert = `insert into ${quoted(schema)}.${name} as old (${list}) ${source}`;
  // A fact is told once; a second row for it would be a mistake of ours, and must not pass in silence.
  if (name === 'timeline') return insert;
  const changes = names.filter((each) => !key.includes(each)).map((each) => setSql(each, merge[each], ahead));
  const onlyAhead =
    ahead === undefined
      ? ''
      : ` where (excluded.${ahead[0]}, excluded.${ahead[1]}) > (old.${ahead[0]}, old.${ahead[1]})`;
  return `${insert} on conflict (${key.map(column).join(', ')}) do update set ${changes.join(', ')}${onlyAhead}`;
}

function setSql(name: string, merge: Merge | undefined, ahead: Table['ahead']): string {
  const quotedName = column(name);
  const newer = `excluded.${quotedName}`;
  const older = `old.${quotedName}`;
  switch (merge) {
    case undefined:
    case 'replace':
      return `${quotedName} = ${newer}`;
    case 'first':
      return `${quotedName} = coalesce(${older}, ${newer})`;
    case 'last': {
      const merged = `coalesce(${newer}, ${older})`;
      // What was begun anew takes nothing over from before.
      if (ahead === undefined) return `${quotedName} = ${merged}`;
      return `${quotedName} = case when excluded.${ahead[0]} > old.${ahead[0]} then ${newer} else ${merged} end`;
    }
  }
}

/** Merges rows as the statement does, for rows that meet in one batch. `newer` comes later. */
export function mergeRows<Row extends object>(name: TableName, older: Row, newer: Row): Row {
  const { merge = {}, ahead }: Table = tables[name];
  const value = (row: Row, field: string): unknown => (row as Record<string, unknown>)[field];
  if (ahead !== undefined) {
    const [restart, count] = ahead;
    const difference = Number(value(newer, restart)) - Number(value(older, restart));
    if (difference > 0) return newer;
    if (difference < 0 || Number(value(newer, count)) <= Number(value(older, count))) return older;
  }
  const merged = { ...older } as Record<string, unknown>;
  for (const [field, found] of Object.entries(newer)) {
    const how = merge[field] ?? 'replace';
    const before = merged[field] ?? null;
    if (how === 'replace') merged[field] = found;
    else if (how === 'last') merged[field] = found ?? before;
    else merged[field] = before ?? found;
  }
  return merged as Row;
}

/** PostgreSQL's texts cannot hold the character U+0000; whoever wants the bytes as they were finds them on the topic. */
const nul = /(?<!\\)((?:\\\\)*)\\u0000/g;

export function toJson(rows: readonly object[]): string {
  const json = JSON.stringify(rows);
  return json.includes('\\u0000') ? json.replaceAll(nul, '$1\\ufffd') : json;
}

export type Upsert = (client: Client, name: TableName, rows: readonly object[]) => Promise<void>;

/** Writes rows into the tables of a schema. No two of one call may have the same key. */
export function upsertInto(schema: string): Upsert {
  const statements = new Map<TableName, string>(tableNames.map((name) => [name, upsertSql(schema, name)]));
  return async (client, name, rows) => {
    if (rows.length > 0) await client.query(statements.get(name) ?? '', [toJson(rows)]);
  };
}
