-- Up Migration

-- What a parked task waits for, and the event that a task reacts to. Missions of before had neither.

alter table tasks
  add column if not exists waiting_for text not null default '',
  add column if not exists caused_by text not null default '';

-- Down Migration

alter table tasks drop column waiting_for, drop column caused_by;
