-- Up Migration

create table if not exists dead_letter_decisions (
  partition int not null,
  "offset" bigint not null,
  letter_partition int not null,
  letter_offset bigint not null,
  decision text not null,
  decided_by text not null,
  reason text not null,
  detail text not null,
  request text not null,
  decided_at timestamptz,
  primary key (partition, "offset")
);
create index if not exists dead_letter_decisions_letter on dead_letter_decisions (letter_partition, letter_offset, "offset");
comment on table dead_letter_decisions is 'What was decided about dead letters, by whom and why. partition and offset are those of the event; letter_partition and letter_offset those of the letter. The last decision of a letter that is neither refused nor edited is its state; without any the retrier has not seen it.';

-- Down Migration

drop table dead_letter_decisions;
