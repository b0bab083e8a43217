/** Dead letters through the real command: looked at, edited, sent again once and only once, parked, put away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadLetter } from '#chassis/dead-letter.ts';
import { Failure } from '#chassis/failures.ts';
import { parseSchema } from '#schemas/bounded.ts';
import { entryOf } from '#schemas/catalog.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import { registerAll } from '#schemas/register.ts';
import { commandLine } from './command-line.ts';
import { type Namespace, openNamespace, scriptedTask } from './harness.ts';
import { all, atLeast, headerOf, insight, letterEvents, untilEvents } from './letters.ts';

interface Letter {
  readonly id: string;
  readonly state: string;
  readonly code: string;
  readonly mission: string;
  readonly topic: string;
  readonly decided: readonly { readonly what: string; readonly by: string; readonly reason: string }[];
}

const failure = new Failure('invalid_payload', 'of the test');

interface Buried {
  readonly id: string;
  readonly redrives?: number;
  readonly value?: Buffer;
  readonly topic?: string;
}

/** Letters of a topic of tasks that nobody reads, as the chassis of a worker writes them, until the retrier knows them. */
async function bury(space: Namespace, letters: readonly Buried[]): Promise<void> {
  await write(space, letters);
  const wanted = (await all(space, space.context.topics.dlq)).length;
  await untilEvents(
    space,
    (events) => events.filter(({ event_type }) => event_type === 'dead_letter_recorded').length >= wanted,
    `${wanted} letters recorded`,
  );
}

async function write(space: Namespace, letters: readonly Buried[]): Promise<void> {
  const { codec, publisher, topics } = space.context;
  const records = letters.map(
    ({ id, redrives = 0, value = codec.encode(insight(id)), topic = topics.tasks('builder') }, at) => {
      const { message } = deadLetter({
        ...{ topic: topics.dlq, service: 'worker-builder', failure, now: Date.now(), codec },
        origin: {
          ...{ topic, partition: at % 2 },
          message: {
            ...{ key: Buffer.from(`m-${id}/a`), value, timestamp: String(Date.now()), attributes: 0 },
            offset: String(at),
            headers: redrives === 0 ? {} : { 'ravenhelm.redrives': String(redrives) },
          },
        },
      });
      return { key: message.key, value: message.value, headers: message.headers ?? {} };
    },
  );
  await publisher.send(topics.dlq, records);
}

test('garbage is a letter that is listed, shown, exported, edited into a mission, and sent again', {
  timeout: 180_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { ravenhelm } = commandLine(space);
  await Promise.all([space.start('orchestrator'), space.start('worker'), space.start('retrier')]);
  const { publisher, topics } = space.context;
  const poison = Buffer.from([0, 1, 2]);
  await publisher.send(topics.missions, [{ key: 'm-poison', value: poison }]);
  await atLeast(space, topics.dlq, 1);
  await untilEvents(space, (events) => events.length > 0, 'a recorded letter');

  const listed = await ravenhelm(['dlq', 'list', '--code', 'undecodable', '--topic', 'missions', '--json']);
  assert.equal(listed.code, 0, listed.stderr);
  const [letter] = JSON.parse(listed.stdout) as Letter[];
  assert.ok(letter);
  assert.deepEqual([letter.state, letter.mission, letter.topic], ['waiting', 'm-poison', topics.missions]);
  assert.equal((await ravenhelm(['dlq', 'list', '--code', 'handler_failed', '--json'])).stdout, '[]\n');
  assert.match((await ravenhelm(['dlq', 'list'])).stdout, /undecodable/);

  const shown = await ravenhelm(['dlq', 'show', letter.id]);
  assert.match(shown.stdout, /cannot be read: .*\n000102/);
  const [exported = ''] = (await ravenhelm(['dlq', 'export', letter.id])).stdout.split('\n');
  const line = JSON.parse(exported) as { bytes: string; original: string };
  assert.deepEqual(Buffer.from(line.bytes, 'base64'), poison);

  const mission = missionCommand({
    ...{ correlation_id: 'm-poison', event_id: 'mended', name: 'mended' },
    tasks: [scriptedTask({ id: 'a', role: 'builder' })],
  });
  const wrong = await ravenhelm(
    ['dlq', 'edit', letter.id, '--file', '-'],
    JSON.stringify({ ...mission, nmae: 'x' }),
  );
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /nmae/);
  const refused = await ravenhelm(
    ['dlq', 'edit', letter.id, '--file', '-'],
    JSON.stringify({ ...mission, tasks: 7 }),
  );
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /tasks: found number 7/);
  const edited = await ravenhelm(
    ['dlq', 'edit', letter.id, '--file', '-', '--reason', 'typo'],
    JSON.stringify(mission),
  );
  assert.equal(edited.code, 0, edited.stderr);

  const before = await all(space, topics.missions);
  const dry = await ravenhelm(['dlq', 'redrive', letter.id, '--dry-run', '--json']);
  const [plan] = JSON.parse(dry.stdout) as {
    would: string;
    mission: string;
    wakes: boolean;
    record: string;
  }[];
  assert.deepEqual(
    [plan?.would, plan?.mission, plan?.wakes, plan?.record],
    ['sent', 'm-poison', true, 'MissionCommand'],
  );
  assert.equal((await all(space, topics.missions)).length, before.length);
  assert.equal(
    (await letterEvents(space)).filter(({ event_type }) => event_type.endsWith('redriven')).length,
    0,
  );

  const sent = await ravenhelm(['dlq', 'redrive', letter.id, '--reason', 'mended']);
  assert.equal(sent.code, 0, sent.stderr + sent.stdout);
  assert.equal((await space.facts.end('m-poison')).event_type, 'mission_completed');
  const again = await ravenhelm(['dlq', 'redrive', letter.id, '--json']);
  assert.equal(again.code, 1);
  assert.match(again.stdout, /letter_settled/);

  const [record] = await all(space, topics.dlq);
  assert.deepEqual(record?.message.value, poison, 'the original is as it came');
  const [settled] = JSON.parse((await ravenhelm(['dlq', 'list', '--json'])).stdout) as Letter[];
  assert.equal(settled?.state, 'redriven');
  assert.deepEqual(
    settled?.decided.map(({ what, reason }) => [what, reason]),
    [
      ['recorded', 'undecodable'],
      ['edited', 'typo'],
      ['redriven', 'mended'],
      ['refused', 'letter_settled'],
    ],
  );
  assert.ok(
    settled?.decided.slice(1).every(({ by }) => by !== ''),
    'who did it is said',
  );

  assert.equal((await ravenhelm(['dlq', 'redrive'])).code, 2);
  assert.equal((await ravenhelm(['dlq', 'show', '9-9'])).code, 1);
  assert.equal((await ravenhelm(['dlq', 'list', '--state', 'lost'])).code, 2);
});

test('two hundred letters are each sent once, whatever kills the retrier, and one that came back too often is parked', {
  timeout: 240_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { start, ravenhelm } = commandLine(space);
  const { topics } = space.context;
  const target = topics.tasks('builder');
  const ids = Array.from({ length: 200 }, (_, at) => `letter-${at}`);
  // Dies between the outputs of a transaction and its commit, once the sending is under way.
  const first = await space.start('retrier', {
    env: { RAVENHELM_STOP_AT: 'outputs-sent/30', RAVENHELM_STOP_WITH: 'SIGKILL' },
  });
  await bury(space, [...ids.map((id) => ({ id })), { id: 'weary', redrives: 3 }]);
  const command = start(['dlq', 'redrive', '--all', '--rate', '40', '--reason', 'a new version', '--json']);
  await first.exited;
  const early = (await all(space, target)).length;
  const second = await space.start('retrier');
  await atLeast(space, target, Math.min(early + 30, 150));
  second.signal('SIGKILL');
  await second.exited;
  const middle = (await all(space, target)).length;
  assert.ok(middle < 200, `it was killed in the middle: ${middle} were sent`);
  await space.start('retrier');
  const ended = await command.ended;
  assert.equal(ended.code, 1, ended.stderr);
  const told = JSON.parse(ended.stdout) as { letters: number; done: number; others: { what: string }[] };
  assert.deepEqual([told.letters, told.done, told.others.map(({ what }) => what)], [201, 200, ['parked']]);
  const sent = await all(space, target);
  const events = sent.map(({ message }) => {
    const { value } = space.context.codec.decode(message.value ?? Buffer.alloc(0));
    return 'event_id' in value ? value.event_id : '';
  });
  assert.deepEqual(events.toSorted(), ids.toSorted(), 'each letter exactly once');
  assert.ok(sent.every((each) => headerOf(each, 'ravenhelm.redrives') === '1'));

  const forced = await ravenhelm(['dlq', 'redrive', '--state', 'parked', '--json']);
  assert.equal(forced.code, 1);
  assert.match(forced.stdout, /letter_parked/);
  const archived = await ravenhelm(['dlq', 'archive', '--state', 'parked', '--reason', 'hopeless', '--json']);
  assert.equal(archived.code, 0, archived.stdout);
  assert.equal((await all(space, target)).length, 200);
});

test('a letter of an older schema is sent with the newest, and one from the ledger not at all', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { ravenhelm } = commandLine(space);
  const { topics, codec, config } = space.context;
  await space.start('retrier');
  const entry = entryOf('MissionCommand');
  const schema = JSON.parse(entry.text) as { fields: { name: string }[] };
  const older = JSON.stringify({ ...schema, fields: schema.fields.filter(({ name }) => name !== 'event') });
  const url = config.SCHEMA_REGISTRY_URL;
  const missionsSubject = `${topics.missions}.older-value`;
  const signal = AbortSignal.timeout(30_000);
  const [registered] = await registerAll({
    url,
    missionsSubject,
    signal,
    entries: [{ ...entry, text: older }],
  });
  const command = missionCommand({ correlation_id: 'm-old', event_id: 'old', name: 'of before' });
  const body = parseSchema(older).toBuffer(command);
  const head = Buffer.alloc(5);
  head.writeInt32BE(registered?.id ?? 0, 1);
  const value = Buffer.concat([head, body]);
  await bury(space, [
    { id: 'old', value, topic: topics.missions },
    { id: 'fact', topic: topics.coordination },
  ]);
  const ended = await ravenhelm(['dlq', 'redrive', '--all', '--json']);
  await fetch(`${url}/subjects/${missionsSubject}`, { method: 'DELETE' });
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(ended.stdout, /letter_not_returnable/);
  const [sent] = await all(space, topics.missions);
  assert.ok(sent?.message.value);
  assert.equal(
    sent.message.value.readInt32BE(1),
    codec.encodeRecord('MissionCommand', command).readInt32BE(1),
  );
  assert.deepEqual(codec.decode(sent.message.value).value, { ...command, event: null });
  const events = await letterEvents(space);
  assert.ok(events.some((event) => event.event_type === 'dead_letter_redriven' && event.payload.upcast));
});

test('a letter that a person parks is left alone by a redrive of all, and sent when it is forced', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { ravenhelm } = commandLine(space);
  const target = space.context.topics.tasks('builder');
  await space.start('retrier');
  await bury(space, [{ id: 'aside' }, { id: 'other' }]);
  const letters = JSON.parse((await ravenhelm(['dlq', 'list', '--json'])).stdout) as Letter[];
  const aside = letters.find(({ mission }) => mission === 'm-aside');
  assert.ok(aside);
  const parked = await ravenhelm(['dlq', 'park', aside.id, '--reason', 'wait for the fix']);
  assert.equal(parked.code, 0, parked.stderr + parked.stdout);
  assert.equal((await ravenhelm(['dlq', 'redrive', '--all'])).code, 0);
  assert.equal((await all(space, target)).length, 1, 'only the other');
  const shown = await ravenhelm(['dlq', 'list', '--state', 'parked', '--json']);
  const [found] = JSON.parse(shown.stdout) as Letter[];
  assert.deepEqual([found?.id, found?.decided.at(-1)?.reason], [aside.id, 'wait for the fix']);
  assert.equal((await ravenhelm(['dlq', 'park', aside.id])).code, 1);
  assert.equal((await ravenhelm(['dlq', 'redrive', aside.id, '--force'])).code, 0);
  assert.equal((await all(space, target)).length, 2);
});

test('letters that the retrier has not read yet are waited for, and are each sent once', {
  timeout: 120_000,
}, async (t) => {
  const space = await openNamespace(t, { roles: ['builder'], partitions: 2 });
  const { ravenhelm } = commandLine(space);
  await write(space, [{ id: 'early' }, { id: 'too' }]);
  const [first] = JSON.parse(
    (await ravenhelm(['dlq', 'list', '--since', '1h', '--json'])).stdout,
  ) as Letter[];
  assert.equal(first?.state, 'new');
  const asked = ravenhelm(['dlq', 'redrive', '--since', '1h', '--json']);
  await space.start('retrier');
  const { code, stdout, stderr } = await asked;
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { action: 'redrive', letters: 2, done: 2, others: [] });
  assert.equal((await all(space, space.context.topics.tasks('builder'))).length, 2);
  const shown = JSON.parse((await ravenhelm(['dlq', 'show', first.id, '--json'])).stdout) as Letter;
  assert.deepEqual([shown.id, shown.state], [first.id, 'redriven']);
  assert.deepEqual(
    shown.decided.map(({ what }) => what),
    ['recorded', 'redriven'],
  );
  const none = await ravenhelm(['dlq', 'show', `${first.id}999`]);
  assert.deepEqual([none.code, /there is no dead letter/.test(none.stderr)], [1, true], none.stderr);
});
