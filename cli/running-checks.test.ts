import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Agents } from '#chassis/agents.ts';
import { problemsOf } from './running-checks.ts';

const health = (agent: string, state: string, problems: readonly string[]) => ({
  ...{ agent, service: agent, roles: [], pid: 1, host: 'h', state, running: 0, capacity: 0 },
  ...{ started_at: 0, code_version: '1', pools: [], reason: '', problems },
});

describe('doctor', () => {
  it('names the missions that services have set aside, and fails', () => {
    const agents = new Agents();
    agents.add(health('orchestrator', 'running', ['changelog_broken: mission m of partition 2: odd']), 0);
    agents.add(health('correlator', 'running', []), 0);
    const { level, found } = problemsOf(agents.list(1));
    assert.equal(level, 'fail');
    assert.equal(found, 'orchestrator: changelog_broken: mission m of partition 2: odd');
  });

  it('does not go by what ended processes had said', () => {
    const agents = new Agents();
    agents.add(health('orchestrator', 'running', ['odd']), 0);
    agents.add(health('orchestrator', 'stopped', []), 1);
    assert.equal(problemsOf(agents.list(2)).level, 'ok');
  });
});
