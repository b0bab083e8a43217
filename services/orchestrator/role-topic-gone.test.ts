import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay, topics } from './partition-play.ts';

const task = (id: string, role: string) => taskSpec({ id, role });

test('nothing is sent to the topic of a role that is gone, and what waited for it is sent when it is back', () => {
  const play = new PartitionPlay({ roles: ['a', 'b'], outstanding: 1 });
  play.submit('m', { tasks: [task('a1', 'a'), task('a2', 'a'), task('b1', 'b')] });
  const [first] = play.assignments('a');
  assert.ok(first);
  assert.equal(play.waiting().length, 1);
  play.roles.delete('a');
  play.started(first);
  play.ring();
  assert.equal(play.assignments('a').length, 1, 'there is room, but no topic');
  play.submit('n', { tasks: [task('b2', 'b')] });
  play.started(play.assignments('b')[0] as never);
  assert.equal(play.assignments('b').length, 2, 'other roles go on');
  play.roles.add('a');
  play.ring();
  assert.equal(play.assignments('a').length, 2);
});

test('a mission is cancelled though the topic of its role is gone', () => {
  const play = new PartitionPlay({ roles: ['a'] });
  play.submit('m', { tasks: [task('a1', 'a')] });
  const [assigned] = play.assignments('a');
  assert.ok(assigned);
  play.started(assigned);
  play.roles.delete('a');
  const before = play.sent.length;
  play.cancel('m');
  const sent = play.sent.slice(before);
  assert.ok(sent.every(({ topic }) => topic !== topics.tasks('a')));
  assert.ok(sent.some(({ value }) => 'event_type' in value && value.event_type === 'mission_cancelled'));
});
