import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createCodec } from '#schemas/codec.ts';
import { numberedIds } from '#schemas/numbered.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionState } from '#schemas/types.gen.ts';
import { PartitionPlay } from './partition-play.ts';
import { knownRules, newestRules, openRules } from './rules.ts';

const codec = createCodec(numberedIds());

it('docs/operations.md says what each version of the rules is', () => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('\n## Upgrading the code\n');
  const rows = section.split('\n## ')[0]?.matchAll(/^\| (\d+) \| \S/gm) ?? [];
  assert.deepEqual(
    [...rows].map(([, version]) => Number(version)),
    [...knownRules],
  );
});

describe('the rules of a new mission', () => {
  it('are the newest, unless a setting pins them to others that are known', () => {
    assert.equal(openRules().ofNew, newestRules);
    assert.equal(openRules(0).ofNew, 0);
    assert.throws(() => openRules(newestRules + 1), {
      code: 'invalid_configuration',
      message: new RegExp(`RAVENHELM_RULES: found ${newestRules + 1}, expected one of .*${newestRules}$`),
    });
  });

  it('are named by its first fact, and are still known after a restart', () => {
    for (const rules of knownRules) {
      const play = new PartitionPlay({ roles: ['a'], rules: openRules(rules) });
      play.submit('m', { tasks: [taskSpec({ id: 'a', role: 'a' })] });
      const accepted = play.sent.flatMap(({ value }) =>
        'event_type' in value && value.event_type === 'mission_accepted' ? [value.payload.rules] : [],
      );
      assert.deepEqual(accepted, [rules]);
      play.restart();
      play.settings.rules = { known: new Set([900_000]), ofNew: 900_000 };
      const message = `mission m is decided by rules ${rules}, and this version has 900000`;
      assert.throws(() => play.restart(), { code: 'rules_unknown', message });
    }
  });

  it('are asked for before what only a newer version can read is taken for broken', () => {
    const play = new PartitionPlay({ roles: ['a'] });
    play.submit('m', { tasks: [taskSpec({ id: 'a', role: 'a' })] });
    const { value } = codec.decode(play.changelog.get('mission/m') ?? Buffer.alloc(0));
    const newer = { ...(value as MissionState), status: 'hibernating', rules: 900_000 };
    play.changelog.set('mission/m', codec.encodeRecord('MissionState', newer));
    assert.throws(() => play.restart(), { code: 'rules_unknown' });
  });

  it('are no matter once it has ended', () => {
    const play = new PartitionPlay({ roles: ['a'] });
    play.submit('m', { tasks: [taskSpec({ id: 'a', role: 'a' })] });
    play.cancel('m');
    play.settings.rules = { known: new Set([900_000]), ofNew: 900_000 };
    play.restart();
  });
});
