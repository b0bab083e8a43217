import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AgentHealthPayload } from '#schemas/types.gen.ts';
import { Agents, byRole, forgottenAfterMs, lostAfterMs } from './agents.ts';

const health = (agent: string, more: Partial<AgentHealthPayload> = {}): AgentHealthPayload => ({
  ...{ agent, service: 'worker', roles: ['a'], pid: 1, host: 'h', state: 'running', running: 0, capacity: 4 },
  ...{ started_at: 0, code_version: '1', pools: [{ role: 'a', running: 0, capacity: 4 }], reason: '' },
  problems: [],
  ...more,
});

function stateOf(said: Partial<AgentHealthPayload>, silentMs = 0): string | undefined {
  const agents = new Agents();
  agents.add(health('x', said), 1000);
  return agents.list(1000 + silentMs)[0]?.state;
}

describe('agents', () => {
  it('are forgotten when nothing was heard of them for a week, so that restarts do not add up', () => {
    const agents = new Agents();
    for (let start = 0; start < 100; start += 1) agents.add(health(`worker@h:${start}`), 1000);
    agents.add(health('still there'), 2000);
    assert.equal(agents.list(1000 + forgottenAfterMs).length, 101);
    assert.deepEqual(
      agents.list(1001 + forgottenAfterMs).map(({ agent }) => agent),
      ['still there'],
    );
    assert.equal(agents.size, 1);
  });

  it('are what they last said, and lost when they say nothing for a while', () => {
    assert.equal(stateOf({ state: 'starting' }), 'pending');
    assert.equal(stateOf({}), 'idle');
    assert.equal(stateOf({ running: 1 }), 'running');
    assert.equal(stateOf({ capacity: 0 }), 'running', 'a service that holds no tasks is not idle');
    assert.equal(stateOf({}, lostAfterMs), 'idle');
    assert.equal(stateOf({}, lostAfterMs + 1), 'lost');
    assert.equal(stateOf({ state: 'starting' }, lostAfterMs + 1), 'lost');
    assert.equal(stateOf({ state: 'stopped' }, lostAfterMs + 1), 'completed');
    assert.equal(stateOf({ state: 'failed' }, lostAfterMs + 1), 'failed');
    assert.equal(stateOf({ state: 'given_up' }), 'failed');
  });

  it('come back when they are heard again, but not once somebody has seen them end', () => {
    const agents = new Agents();
    agents.add(health('x'), 0);
    assert.equal(agents.list(lostAfterMs + 1)[0]?.state, 'lost');
    agents.add(health('x'), lostAfterMs + 2);
    assert.equal(agents.list(lostAfterMs + 3)[0]?.state, 'idle');
    agents.add(health('x', { state: 'failed' }), lostAfterMs + 4);
    agents.add(health('x'), lostAfterMs + 4);
    assert.equal(agents.list(lostAfterMs + 5)[0]?.state, 'failed');
  });

  it('keep the roles that they had when somebody says that they have ended, but none of their places', () => {
    const agents = new Agents();
    agents.add(health('x', { running: 2 }), 0);
    agents.add(health('x', { state: 'failed', reason: 'SIGKILL', roles: [], pools: [], running: 0 }), 10);
    const [shown] = agents.list(20);
    assert.deepEqual(
      [shown?.state, shown?.reason, shown?.roles, shown?.running],
      ['failed', 'SIGKILL', ['a'], 0],
    );
    assert.deepEqual(byRole(agents.list(20)).get('a'), { alive: 0, running: 0, capacity: 0, seenAt: 10 });
  });

  it('are counted for each of their roles while they live', () => {
    const agents = new Agents();
    const both = { roles: ['a', 'b'], pools: [{ role: 'a', running: 1, capacity: 4 }] };
    agents.add(health('x', both), 10);
    agents.add(health('y', { state: 'stopped' }), 30);
    agents.add(health('z', { pools: [{ role: 'a', running: 2, capacity: 8 }] }), 20);
    const roles = byRole(agents.list(40));
    assert.deepEqual(roles.get('a'), { alive: 2, running: 3, capacity: 12, seenAt: 30 });
    assert.deepEqual(roles.get('b'), { alive: 1, running: 0, capacity: 0, seenAt: 10 });
    assert.equal(byRole(agents.list(40 + lostAfterMs)).get('a')?.alive, 0);
  });
});
