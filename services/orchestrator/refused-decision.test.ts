import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Codec, createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay } from './partition-play.ts';

const whole = createCodec(numberedIds());

it('a decision of which something cannot be encoded has changed nothing: what is outstanding stays so', () => {
  const broken = { command: false };
  const codec: Codec = {
    ...whole,
    encodeRecord(name, record) {
      if (name === 'MissionCommand' && broken.command) throw new Error('no');
      return whole.encodeRecord(name, record);
    },
  };
  const play = new PartitionPlay({ roles: ['a', 'orchestrator'], outstanding: 1, codec });
  const part = taskSpec({ id: 'part', role: 'orchestrator', needs: ['t'], description: 'a part' });
  play.submit('m', { tasks: [taskSpec({ id: 't', role: 'a' }), part] });
  play.submit('n', { tasks: [taskSpec({ id: 'w', role: 'a' })] });
  const [first] = play.assignments('a');
  assert.ok(first?.payload.task_id === 't');
  broken.command = true;
  assert.throws(() => play.completed(first), /no/);
  assert.equal(play.missions.nextAlarm() === 0, false, 'there is no room for another');
  broken.command = false;
  play.completed(first);
  assert.deepEqual(
    play.assignments('a').map(({ payload }) => payload.task_id),
    ['t', 'w'],
  );
});
