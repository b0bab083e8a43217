-- Up Migration

-- What people are asked, and what missions may use up: both from the ledger.

create table reviews (
  mission_id text not null,
  review_id text not null,
  task_id text,
  kind text,
  reason text,
  tool text,
  arguments text,
  arguments_hash text,
  status text not null,
  reviewer text,
  comment text,
  requested_at timestamptz,
  expires_at timestamptz,
  completed_at timestamptz,
  primary key (mission_id, review_id)
);
create index reviews_status on reviews (status, requested_at);

create table mission_budgets (
  mission_id text primary key,
  at_limit text,
  max_tokens bigint,
  max_cost_nanos bigint,
  max_calls bigint,
  reserved_tokens bigint,
  reserved_cost_nanos bigint,
  reserved_calls bigint,
  spent_tokens bigint,
  spent_cost_nanos bigint,
  spent_calls bigint,
  updated_at timestamptz
);
comment on table mission_budgets is 'Limits of a mission, what is reserved for tasks that run, and what is settled. A limit that is null is none.';

-- Down Migration

drop table mission_budgets, reviews;
