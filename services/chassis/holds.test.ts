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
    earliest: () => Promise.resolve(0),
    seek: (of, partition, offset) => void asked.push(`seek ${of}/${partition}@${offset}`),
  });
  return { holds, asked, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe('a topic whose head is not due', () => {
  it('is paused until then, and is read on from its head', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 7, 1000, () => true);
    pass(999);
    assert.ok(holds.waits(topic));
    assert.deepEqual(asked, [`pause ${topic}/2`]);
    pass(1);
    assert.ok(!holds.waits(topic));
    assert.deepEqual(asked.slice(1), [`seek ${topic}/2@7`, `resume ${topic}/2`]);
  });

  it('stays paused when its owner does not want more', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 7, 10, () => false);
    pass(10);
    assert.deepEqual(asked, [`pause ${topic}/2`, `seek ${topic}/2@7`]);
  });

  it('takes nothing while it waits, and then only from its head on', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 7, 10, () => true);
    assert.ok(holds.isStray(topic, 7));
    pass(10);
    assert.ok(holds.isStray(topic, 9));
    assert.equal(asked.at(-1), `seek ${topic}/2@7`);
    assert.ok(holds.has(topic));
    assert.ok(!holds.isStray(topic, 7));
    assert.ok(!holds.has(topic));
  });

  it('is believed to be gone after eight batches from elsewhere', (t) => {
    const { holds, pass } = given(t);
    holds.hold(topic, 7, 10, () => true);
    pass(10);
    const strays = Array.from({ length: 9 }, () => holds.isStray(topic, 9));
    assert.deepEqual(strays, [...Array.from({ length: 8 }, () => true), false]);
  });

  it('is held once, however often; nothing happens after it is cleared; others are left alone', (t) => {
    const { holds, asked, pass } = given(t);
    holds.hold(topic, 7, 10, () => true);
    holds.hold(topic, 8, 20, () => true);
    assert.ok(!holds.isStray('other', 0));
    pass(10);
    assert.ok(holds.waits(topic));
    holds.clear();
    pass(100);
    assert.deepEqual(asked, [`pause ${topic}/2`, `pause ${topic}/2`]);
    assert.ok(!holds.has(topic));
  });
});
