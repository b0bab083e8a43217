/** Ledgers that were written under earlier rules, decided again by the rules as they are now. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import type { Codec } from '#schemas/codec.ts';
import { createVerifier, type LedgerRecord } from '../verify.ts';
import { codecOf, type History, readHistory } from './history.ts';

/** What the histories of one version of the rules have to hold, all together. */
interface Contents {
  readonly fact_types: readonly string[];
  /** Missions by their names: those of missions/. */
  readonly examples: readonly string[];
  /** Missions of the fault campaign, which has ids of its own. */
  readonly random_missions: number;
}

function verify({ heads }: History, records: readonly LedgerRecord[], codec: Codec) {
  const verifier = createVerifier(codec);
  for (const [mission, head] of heads) verifier.expectHead(mission, head);
  const found = records.flatMap((record) => verifier.feed(record) ?? []);
  const { findings, summary } = verifier.end();
  return { findings: [...found, ...findings], summary };
}

function flipped({ bytes, ...place }: LedgerRecord): LedgerRecord {
  const changed = Buffer.from(bytes);
  const middle = changed.length >> 1;
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  return { bytes: changed, ...place };
}

const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? join(import.meta.dirname, entry.name) : [],
);

it('there are histories of rules 0', () => {
  assert.ok(folders.some((folder) => basename(folder) === 'rules-0'));
});

for (const folder of folders) {
  describe(`a history of ${basename(folder)}`, () => {
    const contents = JSON.parse(readFileSync(join(folder, 'contents.json'), 'utf8')) as Contents;
    const types = new Set<string>();
    const names = new Set<string>();
    let randomMissions = 0;

    for (const file of readdirSync(folder).filter((name) => name.endsWith('.jsonl.gz'))) {
      const history = readHistory(join(folder, file));
      const { missions, facts, records } = history;

      it(`${file} verifies`, async () => {
        const codec = await codecOf(history);
        const { findings, summary } = verify(history, records, codec);
        assert.deepEqual(findings.slice(0, 3), []);
        assert.deepEqual([summary.missions, summary.facts], [missions, facts]);
        assert.equal(summary.plans_as_written, 0);
        assert.equal(history.heads.size, missions);
        for (const { bytes } of records) {
          const { value } = codec.decode(bytes);
          if (!('payload' in value)) continue;
          types.add(value.event_type);
          if (value.event_type !== 'mission_accepted') continue;
          names.add(value.payload.name);
          if (/^f\d{5}-/.test(value.correlation_id)) randomMissions += 1;
        }
      });

      // As when every schema has gained a field since: nothing is left to be compared by its bytes.
      it(`${file} verifies by value`, async () => {
        const { findings } = verify(history, records, await codecOf(history, 'value'));
        assert.deepEqual(findings.slice(0, 3), []);
      });

      it(`${file} gives itself away when a byte in its middle is flipped`, async () => {
        const middle = records.length >> 1;
        const record = records[middle];
        assert.ok(record !== undefined);
        const changed = records.with(middle, flipped(record));
        for (const compare of ['bytes', 'value'] as const) {
          const { findings } = verify(history, changed, await codecOf(history, compare));
          assert.deepEqual(
            findings.map(({ mission }) => mission),
            [record.key],
          );
        }
      });
    }

    it('has every type of fact, every example and the random missions', () => {
      assert.deepEqual([...types].sort(), contents.fact_types.toSorted());
      assert.deepEqual(
        contents.examples.filter((name) => !names.has(name)),
        [],
      );
      assert.ok(randomMissions >= contents.random_missions, `${randomMissions} random missions`);
    });
  });
}
