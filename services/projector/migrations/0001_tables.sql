-- Up Migration

-- What the topics say, as tables. Every value comes from a record, no column holds the time of projecting: folding
-- the same records again, in whatever batches, gives the same rows.

create table projector_offsets (
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  primary key (topic, partition)
);
comment on table projector_offsets is 'Next offset to fold. Its row is locked by whoever folds that partition, and moves with the rows that the records became.';

create table missions (
  mission_id text primary key,
  partition int not null,
  name text not null,
  brief text not null,
  status text not null,
  priority text not null,
  policy jsonb not null,
  waves int not null,
  tasks int not null,
  in_flight int not null,
  completed int not null,
  failed int not null,
  cancelled int not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  ended_at timestamptz,
  deadline_at timestamptz,
  sequence bigint not null,
  head_hash text not null,
  traceparent text not null,
  result text,
  code text,
  message text
);
create index missions_created on missions (created_at desc);
create index missions_status on missions (status, created_at desc);

create table tasks (
  mission_id text not null,
  task_id text not null,
  position int not null,
  role text not null,
  wave int not null,
  description text not null,
  needs text[] not null,
  timeout_ms bigint not null,
  max_attempts int not null,
  status text not null,
  attempt int not null,
  lease int not null,
  agent text not null,
  started_at timestamptz,
  ended_at timestamptz,
  retry_at timestamptz,
  result text not null,
  code text not null,
  message text not null,
  primary key (mission_id, task_id)
);
create index tasks_role on tasks (role, status);

create table attempts (
  mission_id text not null,
  task_id text not null,
  attempt int not null,
  role text,
  status text not null,
  lease int not null,
  agent text,
  assigned_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  retry_at timestamptz,
  code text,
  message text,
  steps int,
  journal_hash text,
  duration_ms bigint,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  cost_usd double precision,
  primary key (mission_id, task_id, attempt)
);

create table timeline (
  mission_id text not null,
  sequence bigint not null,
  partition int not null,
  "offset" bigint not null,
  event_type text not null,
  source text not null,
  target text not null,
  task_id text not null,
  causation_id text not null,
  at timestamptz not null,
  payload jsonb not null,
  primary key (mission_id, sequence)
);
comment on table timeline is 'One row for each fact of the ledger.';

create table mission_states (
  mission_id text primary key,
  state bytea not null,
  plan bytea
);
comment on table mission_states is 'The folded state of each mission that facts may still come for, as Avro, so that the fold goes on after a restart.';

create table steps (
  mission_id text not null,
  task_id text not null,
  attempt int not null,
  step int not null,
  kind text not null,
  role text not null,
  agent text not null,
  lease int not null,
  sequence bigint not null,
  partition int not null,
  "offset" bigint not null,
  status text not null,
  name text not null,
  provider text,
  effect text,
  input text,
  output text,
  tool_calls jsonb,
  truncated boolean,
  stop_reason text,
  code text,
  message text,
  started_at timestamptz,
  ended_at timestamptz,
  duration_ms bigint,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  cost_usd double precision,
  primary key (mission_id, task_id, attempt, step)
);
comment on table steps is 'One row for each model call and tool call; of a call that was begun again after a resume, the newest.';

create table resumed_journals (
  mission_id text not null,
  task_id text not null,
  attempt int not null,
  lease int not null,
  primary key (mission_id, task_id, attempt)
);
comment on table resumed_journals is 'The newest lease that resumed a journal: what older ones write after that does not count.';

create table agents (
  agent text primary key,
  service text not null,
  roles text[] not null,
  pid bigint not null,
  host text not null,
  state text not null,
  running int not null,
  capacity int not null,
  code_version text not null,
  started_at timestamptz,
  seen_at timestamptz
);

create table dead_letters (
  partition int not null,
  "offset" bigint not null,
  key text,
  topic text not null,
  topic_partition int,
  topic_offset bigint,
  stage text not null,
  code text not null,
  message text not null,
  attempts int not null,
  redrives int not null,
  schema_id bigint,
  size int not null,
  code_version text not null,
  failed_at timestamptz,
  produced_at timestamptz,
  primary key (partition, "offset")
);
comment on table dead_letters is 'partition and offset are those of the dead letter itself, where its bytes are; topic, topic_partition and topic_offset say where it came from.';

create table projection_errors (
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  code text not null,
  message text not null,
  primary key (topic, partition, "offset")
);
comment on table projection_errors is 'Records that could not be folded and were passed over; they are still on their topic.';

-- Down Migration

drop table projector_offsets, missions, tasks, attempts, timeline, mission_states, steps, resumed_journals, agents,
  dead_letters, projection_errors;
