-- Up Migration

-- The task of another mission that a mission is, and how many missions are above it.

alter table missions
  add column if not exists parent_mission_id text,
  add column if not exists parent_task_id text,
  add column if not exists depth int not null default 0;
create index if not exists missions_parent on missions (parent_mission_id) where parent_mission_id is not null;

-- What is folded already: the first fact of each mission says it.
update missions m
   set parent_mission_id = t.payload->'parent'->>'mission_id',
       parent_task_id = t.payload->'parent'->>'task_id',
       depth = coalesce((t.payload->>'depth')::int, 0)
  from timeline t
 where t.mission_id = m.mission_id and t.event_type in ('mission_accepted', 'mission_rejected')
   and jsonb_typeof(t.payload->'parent') = 'object';

-- Down Migration

drop index missions_parent;
alter table missions drop column parent_mission_id, drop column parent_task_id, drop column depth;
