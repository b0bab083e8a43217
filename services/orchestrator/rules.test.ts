import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { taskSpec } from '#schemas/task-spec.ts';
import { PartitionPlay } from './partition-play.ts';
import { knownRules, newestRules, rulesForNew } from './rules.ts';

describe('the rules of a new mission', () => {
  it('are the newest, unless a setting pins them to others that are known', () => {
    assert.equal(rulesForNew(undefined), newestRules);
    assert.equal(rulesForNew(0), 0);
    assert.throws(() => rulesForNew(newestRules + 1), {
      code: 'invalid_configuration',
      message: new RegExp(`RAVENHELM_RULES: found ${newestRules + 1}, expected one of .*${newestRules}$`),
    });
  });

  it('are named by its first fact, and are still known after a restart', () => {
    for (const rules of knownRules) {
      const play = new PartitionPlay({ roles: ['a'], rules });
      play.submit('m', { tasks: [taskSpec({ id: 'a', role: 'a' })] });
      const accepted = play.sent.flatMap(({ value }) =>
        'event_type' in value && value.event_type === 'mission_accepted' ? [value.payload.rules] : [],
      );
      assert.deepEqual(accepted, [rules]);
    }
  });
});
