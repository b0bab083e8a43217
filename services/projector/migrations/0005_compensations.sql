-- Up Migration

-- The task that a task undoes; empty: it undoes none.
alter table tasks
  add column if not exists compensates text not null default '';

-- Down Migration

alter table tasks drop column compensates;
