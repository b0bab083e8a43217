/** Calls that wait for a person: what is asked, and what each answer lets happen. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { parseRole } from '#roles/load.ts';
import type { ReviewAnswer, Script } from '#schemas/types.gen.ts';
import { hashOfCall } from './call-hash.ts';
import { Parked } from './parked.ts';
import { policed } from './policed-toolbox.ts';
import { decodeStep, Log, ownerOf, type Rehearsal, rehearsalCodec, rehearse } from './rehearsal.ts';
import { defineTool } from './tools/tool.ts';
import type { Toolbox } from './tools/toolbox.ts';

let workspaces: string;
before(async () => {
  workspaces = await mkdtemp(join(tmpdir(), 'ravenhelm-parking-'));
});
after(() => rm(workspaces, { recursive: true }));

/** As a model may write them: other order, spaces, a default left out. */
const written = '{ "to": "ops",\n "body": "hi" }';
const canonical = '{"body":"hi","to":"ops","urgent":false}';

/** What the tools are run with, and who dies while one runs. */
class Stage {
  readonly ran: string[] = [];
  readonly log = new Log();
  dying: AbortController | null = null;
  asks = true;

  toolbox(): Toolbox {
    const tool = defineTool({
      name: 'mail',
      description: 'Sends a mail.',
      input: z.strictObject({ to: z.string(), body: z.string(), urgent: z.boolean().default(false) }),
      effect: () => 'once',
      run: (_, { idempotencyKey, signal }) => {
        this.ran.push(idempotencyKey);
        this.dying?.abort(new Error('killed'));
        signal.throwIfAborted();
        return Promise.resolve({ ok: true, output: 'sent', truncated: false });
      },
    });
    const plain: Toolbox = { schemas: [tool.schema], hash: 'h', prepare: (_, args) => tool.prepare(args) };
    const then = this.asks ? 'then: ask, reason: it leaves the house, expires: 5m' : 'then: allow';
    const text = `---\nname: a\ndescription: b\ntools: []\npolicy:\n  - { tool: mail, ${then} }\n---\nDo it.`;
    return policed(plain, parseRole(text, 'a.md'));
  }

  run(lease: number, answers: readonly ReviewAnswer[] = [], more: Partial<Rehearsal> = {}) {
    return rehearse({
      ...{ log: this.log, lease, workspaces, script: mails(1), toolbox: this.toolbox(), answers },
      ...more,
    });
  }

  /** A worker takes the lease and dies while the tool runs. */
  async killed(lease: number, answers: readonly ReviewAnswer[] = []): Promise<void> {
    this.dying = new AbortController();
    await assert.rejects(this.run(lease, answers, { signal: this.dying.signal }), { message: 'killed' });
    this.dying = null;
  }

  async parked(lease: number, answers: readonly ReviewAnswer[] = [], more: Partial<Rehearsal> = {}) {
    const end: unknown = await this.run(lease, answers, more).catch((error: unknown) => error);
    assert.ok(end instanceof Parked, `expected it to be parked, found ${JSON.stringify(end)}`);
    return end.question;
  }

  /** The steps of tools that the journal holds, in its order. */
  tools() {
    const events = this.log.records.map(({ value }) => decodeStep(rehearsalCodec(), value).event);
    return {
      begun: events.flatMap((each) => (each.event_type === 'tool_call_started' ? [each.payload] : [])),
      ended: events.flatMap((each) => (each.event_type === 'tool_call_ended' ? [each.payload] : [])),
    };
  }
}

const mails = (times: number): Script => ({
  calls: Array.from({ length: times }, () => ({ tool: 'mail', arguments: written, allow_failure: true })),
  answer: 'done',
});

const key = `${ownerOf(1).mission_id}/task/1`;
const say = (decision: string, more: Partial<ReviewAnswer> = {}): ReviewAnswer => ({
  review_id: `${key}/2`,
  step: 2,
  arguments_hash: hashOfCall('mail', canonical),
  decision,
  comment: '',
  ...more,
});
/** About a call that may have happened: people are shown it as the model wrote it. */
const about = (lease: number, decision: string, comment = ''): ReviewAnswer =>
  say(decision, {
    review_id: `${key}/2/reconcile/${lease}`,
    arguments_hash: hashOfCall('mail', written),
    comment,
  });

describe('a call that the policy asks about', () => {
  test('parks before it is begun, with the exact call in its one form', async () => {
    const stage = new Stage();
    assert.deepEqual(await stage.parked(1), {
      review_id: `${key}/2`,
      kind: 'tool_call',
      reason: 'it leaves the house',
      expires_at: 300_000,
      step: 2,
      tool: 'mail',
      arguments: canonical,
      arguments_hash: hashOfCall('mail', canonical),
    });
    assert.deepEqual([stage.ran, stage.tools().begun], [[], []]);
  });

  test('runs once when it is approved, and the journal says under which approval', async () => {
    const stage = new Stage();
    await stage.parked(1);
    const { result } = await stage.run(2, [say('approved')]);
    assert.deepEqual([result, stage.ran], ['done', [`${key}/2`]]);
    const [begun] = stage.tools().begun;
    assert.deepEqual([begun?.review_id, begun?.effect], [`${key}/2`, 'once']);
    await stage.run(3, [say('approved')]);
    assert.deepEqual(stage.ran, [`${key}/2`], 'a resume after it takes what is recorded');
  });

  for (const [decision, comment, message] of [
    ['rejected', 'ops are asleep', 'a person said no: ops are asleep'],
    ['rejected', '', 'a person said no'],
    ['expired', '', 'nobody approved it in time'],
    // Nothing was begun, so nothing can have happened; and what nobody knows is no yes.
    ['happened', '', 'a person said no'],
    ['APPROVED', '', 'a person said no'],
  ] as const) {
    test(`${decision} "${comment}" is told to the model, and nothing runs`, async () => {
      const stage = new Stage();
      await stage.parked(1);
      const { result } = await stage.run(2, [say(decision, { comment })]);
      assert.deepEqual([result, stage.ran], ['done', []]);
      const [ended] = stage.tools().ended;
      assert.deepEqual([ended?.ok, ended?.code, ended?.message], [false, 'rejected', message]);
      assert.equal(stage.tools().begun[0]?.effect, 'none');
    });
  }

  test('an approval of other arguments is no approval', async () => {
    const stage = new Stage();
    await stage.parked(1);
    const arguments_hash = hashOfCall('mail', canonical.replace('hi', 'ha'));
    await assert.rejects(stage.run(2, [say('approved', { arguments_hash })]), { code: 'review_differs' });
    assert.deepEqual(stage.ran, []);
  });

  for (const review_id of [`${key}/1`, `${key}/20`, `mission/task/2/2`, `mission/other/1/2`, `${key}/2/`]) {
    test(`an answer to ${review_id} is none to ${key}/2`, async () => {
      const stage = new Stage();
      await stage.parked(1);
      const question = await stage.parked(2, [say('approved', { review_id })]);
      assert.deepEqual([question.review_id, stage.ran], [`${key}/2`, []]);
    });
  }

  test('an approval does not cover the same call at a later step', async () => {
    const stage = new Stage();
    const script = mails(2);
    await stage.parked(1, [], { script });
    const question = await stage.parked(2, [say('approved')], { script });
    assert.deepEqual([question.review_id, question.step], [`${key}/4`, 4]);
    assert.deepEqual(stage.ran, [`${key}/2`]);
    const again = say('approved', { review_id: `${key}/4`, step: 4 });
    await stage.run(3, [say('approved'), again], { script });
    assert.deepEqual(stage.ran, [`${key}/2`, `${key}/4`]);
  });

  test('begun under an approval and lost, it is asked about anew; the approval is for one time', async () => {
    const stage = new Stage();
    await stage.killed(1, [say('approved')]);
    const question = await stage.parked(2, [say('approved')]);
    assert.deepEqual([question.kind, question.review_id], ['reconcile', `${key}/2/reconcile/2`]);
    await stage.run(3, [say('approved'), about(2, 'approved')]);
    assert.deepEqual(stage.ran, [`${key}/2`, `${key}/2`]);
  });
});

describe('a call that may have happened', () => {
  const lost = async () => {
    const stage = new Stage();
    stage.asks = false;
    await stage.killed(1);
    const { kind, review_id, step, arguments_hash, expires_at } = await stage.parked(2);
    assert.deepEqual([kind, review_id, step, expires_at], ['reconcile', `${key}/2/reconcile/2`, 2, 0]);
    assert.equal(arguments_hash, hashOfCall('mail', written));
    assert.equal(stage.ran.length, 1);
    return stage;
  };

  test('approved: it runs again, with the same idempotency key', async () => {
    const stage = await lost();
    const { result } = await stage.run(3, [about(2, 'approved')]);
    assert.deepEqual([result, stage.ran], ['done', [`${key}/2`, `${key}/2`]]);
    assert.deepEqual(
      stage.tools().begun.map(({ review_id, idempotency_key }) => [review_id, idempotency_key]),
      [
        ['', `${key}/2`],
        [`${key}/2/reconcile/2`, `${key}/2`],
      ],
    );
  });

  test('happened: what the person says is its output, and nothing runs', async () => {
    const stage = await lost();
    const { result } = await stage.run(3, [about(2, 'happened', 'it is in the outbox')]);
    assert.deepEqual([result, stage.ran.length], ['done', 1]);
    const [ended] = stage.tools().ended;
    assert.deepEqual([ended?.ok, ended?.output, ended?.code], [true, 'it is in the outbox', '']);
  });

  for (const decision of ['rejected', 'expired']) {
    test(`${decision}: nobody knows, and it is not done again`, async () => {
      const stage = await lost();
      const end = { code: 'outcome_unknown', message: /step 2, mail .*\(leave it\)$/ };
      await assert.rejects(stage.run(3, [about(2, decision, 'leave it')]), end);
      assert.equal(stage.ran.length, 1);
    });
  }

  test('an answer about other arguments is no answer', async () => {
    const stage = await lost();
    for (const decision of ['approved', 'happened']) {
      const other = { ...about(2, decision), arguments_hash: hashOfCall('mail', '{"to":"all"}') };
      await assert.rejects(stage.run(3, [other]), { code: 'review_differs' });
    }
    assert.equal(stage.ran.length, 1);
  });

  test('an approval of the call itself is no answer to whether it happened', async () => {
    const stage = await lost();
    assert.equal((await stage.parked(3, [say('approved')])).review_id, `${key}/2/reconcile/3`);
  });

  test('an approval under which it was lost again is used up', async () => {
    const stage = await lost();
    await stage.killed(3, [about(2, 'approved')]);
    const question = await stage.parked(4, [about(2, 'approved')]);
    assert.deepEqual([question.kind, question.review_id], ['reconcile', `${key}/2/reconcile/4`]);
    assert.equal(stage.ran.length, 2);
    await stage.run(5, [about(2, 'approved'), about(4, 'happened')]);
    assert.equal(stage.ran.length, 2);
  });

  test('killed while it is recorded that it happened: it does not run after all', async () => {
    // Of the records that say so, so many land.
    for (const landed of [1, 2]) {
      const stage = await lost();
      const said = [about(2, 'happened', 'seen')];
      // The marker of the resume comes first.
      stage.log.cut = stage.log.records.length + 1 + landed;
      const worker = new AbortController();
      const killed = stage.run(3, said, { signal: worker.signal });
      while (stage.log.records.length < stage.log.cut) await new Promise(setImmediate);
      worker.abort(new Error('killed'));
      await assert.rejects(killed, { message: 'killed' });
      stage.log.cut = Number.POSITIVE_INFINITY;
      assert.equal((await stage.run(4, said)).result, 'done');
      assert.equal(stage.ran.length, 1);
      assert.equal(stage.tools().ended[0]?.output, 'seen');
    }
  });
});
