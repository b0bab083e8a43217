/** PostgreSQL agrees with the ledger: row by row with plain SQL, and table by table with a fold from zero. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { compareWithLive } from '#projector/rebuild.ts';
import { schemaName } from '#projector/schema-name.ts';
import type { Namespace } from './harness.ts';

export async function checkProjection(space: Namespace): Promise<void> {
  const url = process.env['DATABASE_URL'] ?? '';
  const schema = schemaName(space.prefix);
  const client = new pg.Client(url);
  await client.connect();
  try {
    const ends = await space.context.admin.fetchTopicOffsets(space.context.topics.coordination);
    const facts = space.facts.all.length;
    await until(async () => {
      const { rows } = await client.query<{ count: string }>(`select count(*) from "${schema}".timeline`);
      return Number(rows[0]?.count) >= facts;
    }, `all ${facts} facts of ${ends.length} partitions in the timeline`);

    const { rows: missions } = await client.query<{ mission_id: string; status: string; sequence: string }>(
      `select mission_id, status, sequence from "${schema}".missions`,
    );
    const last = new Map(space.facts.all.map(({ event }) => [event.correlation_id, event]));
    assert.equal(missions.length, last.size, 'as many missions as on the ledger');
    for (const { mission_id, status, sequence } of missions) {
      const fact = last.get(mission_id);
      assert.equal(`mission_${status}`, fact?.event_type, `${mission_id}: status`);
      assert.equal(Number(sequence), fact?.sequence, `${mission_id}: sequence`);
    }
    const { rows: tasks } = await client.query<{ status: string; count: string }>(
      `select status, count(*) from "${schema}".tasks group by status`,
    );
    const completed = space.facts.all.filter(({ event }) => event.event_type === 'task_completed').length;
    assert.deepEqual(tasks, [{ status: 'completed', count: String(completed) }]);
  } finally {
    await client.end();
  }
  const { kafka, admin, codec, topics, log } = space.context;
  const compared = await compareWithLive({
    kafka,
    admin,
    codec,
    topics,
    log,
    prefix: space.prefix,
    url,
    signal: AbortSignal.timeout(60_000),
  });
  assert.deepEqual(
    compared.tables.filter(({ equal }) => !equal),
    [],
  );
}

async function until(done: () => Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (await done()) return;
    await sleep(200);
  }
  assert.fail(`not within 30 s: ${what}`);
}
