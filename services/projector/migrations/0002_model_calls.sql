-- Up Migration

create table model_calls (
  mission_id text not null,
  task_id text not null,
  attempt int not null,
  lease int not null,
  step int not null,
  sequence bigint not null,
  role text not null,
  provider text not null,
  model text not null,
  status text not null,
  at timestamptz,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  cost_nanos bigint,
  primary key (mission_id, task_id, attempt, lease, step)
);
create index model_calls_at on model_calls (at);
comment on table model_calls is 'One row for each model call that any lease of any attempt has made: what is paid for stays paid for, also where a resume begins the step again.';
comment on column model_calls.cost_nanos is 'Billionths of a US dollar; null: not known, be it that the price is not or that nobody heard how the call ended.';

-- What is folded already. Calls that a later lease has made again are not in steps; a rebuild finds them, too.
insert into model_calls
  select mission_id, task_id, attempt, lease, step, sequence, role, coalesce(provider, ''), name, status,
         coalesce(ended_at, started_at), input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
         case when provider = 'scripted' then 0
              when cost_usd between 0 and 9007199 then round(cost_usd * 1e9)::bigint end
    from steps where kind = 'model';

-- Down Migration

drop table model_calls;
