import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Holds } from './holds.ts';

const topic = 'retry.1s';

/** What is asked of the client, in order. */
function given(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: string[] = [];
  const holds = new Holds(2, {
    pause: (of, partition) => void asked.push(`pause ${of}/${partition}`),
    resume: (of, partition) => void asked.push(`resume ${of}/${partition}`),
  });
  return { holds, asked, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe('a topic whose head is not due', () => {
  it('is paused until then, and is read on', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 1000, () => asked.push('over') > 0);
    pass(999);
    assert.ok(holds.waits(topic));
    assert.deepEqual(asked, [`pause ${topic}/2`]);
    pass(1);
    assert.ok(!holds.waits(topic));
    assert.deepEqual(asked.slice(1), ['over', `resume ${topic}/2`]);
  });

  it('stays paused when its owner does not want more', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 10, () => false);
    pass(10);
    assert.deepEqual(asked, [`pause ${topic}/2`]);
  });

  it('is held once, however often; nothing happens after it is cleared; others are left alone', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 10, () => true);
    holds.hold(topic, 20, () => true);
    assert.ok(!holds.waits('other'));
    pass(10);
    assert.ok(holds.waits(topic));
    holds.clear();
    pass(100);
    assert.deepEqual(asked, [`pause ${topic}/2`, `pause ${topic}/2`]);
    assert.ok(!holds.waits(topic));
  });
});
