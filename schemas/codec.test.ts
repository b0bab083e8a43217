import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { arbitraryOf } from './arbitrary.ts';
import { parseSchema } from './bounded.ts';
import { type CatalogEntry, catalog, entryOf } from './catalog.ts';
import {
  bodyHash,
  type Codec,
  chainLink,
  createCodec,
  emptyChain,
  hashChain,
  headerLength,
} from './codec.ts';
import { numberedIds } from './numbered.ts';
import type { Event, TaskCompleted } from './types.gen.ts';

const codec = createCodec(numberedIds());
const { signal } = new AbortController();

const completed: TaskCompleted = {
  event_id: 'e1',
  event_type: 'task_completed',
  source_agent: 'cert_agent',
  target_agent: 'orchestrator',
  timestamp: 1_790_000_000_000,
  version: 1,
  correlation_id: 'm1',
  causation_id: 'e0',
  priority: 'normal',
  sequence: 3,
  previous_hash: 'ab',
  payload: {
    task_id: 'deploy-cert_agent-wave1',
    attempt: 1,
    lease: 2,
    agent: 'worker-1',
    result: 'done',
    steps: 2,
    journal_hash: '',
    duration_ms: 12,
    usage: {
      input_tokens: 0,
      output_tokens: 0,
      cache_read_tokens: 0,
      cache_write_tokens: 0,
      cost_usd: null,
      calls: 0,
    },
  },
};

/** Throws unless `action` throws the Failure; the message has to match. */
function refuses(action: () => unknown, code: Failure['code'], message: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof Failure, `not a Failure: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('codec', () => {
  it('gives back what was encoded, as plain objects, for every schema', () => {
    const anything = fc
      .constantFrom(...catalog)
      .chain((entry) => fc.tuple(fc.constant(entry), arbitraryOf(entry)));
    fc.assert(
      fc.property(anything, ([entry, value]) => {
        const bytes = codec.encodeRecord(entry.name, value as never);
        assert.deepStrictEqual(codec.decode(bytes), { name: entry.name, value });
        if (entry.kind === 'events') assert.deepStrictEqual(codec.encode(value as Event), bytes);
      }),
      { numRuns: 400 },
    );
  });

  it('writes the wire format of the registry', () => {
    const bytes = codec.encode(completed);
    assert.equal(bytes[0], 0);
    assert.equal(bytes.readInt32BE(1), numberedIds().get('ravenhelm.TaskCompleted'));
    assert.deepStrictEqual(entryOf('TaskCompleted').type.fromBuffer(bytes.subarray(5)), completed);
  });

  it('reads what rpk makes of one line of JSON', () => {
    // Written by both Avro libraries that versions of rpk use, from {"brief":"Deploy the platform"}.
    const body =
      '00226d697373696f6e5f7375626d69747465640c706572736f6e186f7263686573747261746f72000200000200000026' +
      '4465706c6f792074686520706c6174666f726d000000000000126661696c5f666173740000000000' +
      // No options, no parent, no depth, no event.
      '00000000';
    const header = Buffer.alloc(headerLength);
    header.writeInt32BE(numberedIds().get('ravenhelm.MissionCommand') ?? 0, 1);
    const { name, value } = codec.decode(Buffer.concat([header, Buffer.from(body, 'hex')]));
    assert.ok(name === 'MissionCommand');
    assert.equal(value.brief, 'Deploy the platform');
    assert.equal(value.event_type, 'mission_submitted');
    assert.deepEqual([value.version, value.priority, value.on_failure], [1, 'normal', 'fail_fast']);
  });

  it('encodes records larger than its scratch buffer', () => {
    for (const length of [65_000, 65_536, 66_000, 900_000]) {
      const event = { ...completed, payload: { ...completed.payload, result: 'ö'.repeat(length) } };
      assert.deepStrictEqual(codec.decode(codec.encode(event)).value, event);
    }
  });

  it('keeps earlier records untouched by later ones', () => {
    const first = codec.encode(completed);
    const copy = Buffer.from(first);
    codec.encode({ ...completed, event_id: 'another' });
    assert.deepStrictEqual(first, copy);
  });

  it('names the field of a value that does not fit, and does not show texts', () => {
    const wrong = { ...completed, payload: { ...completed.payload, attempt: 'secret' } };
    refuses(
      () => codec.encode(wrong as never),
      'invalid_payload',
      /^TaskCompleted\.payload\.attempt: found a text of 6, expected int$/,
    );
    const late = { ...completed, timestamp: 1.5 };
    refuses(
      () => codec.encode(late),
      'invalid_payload',
      /^TaskCompleted\.timestamp: found number 1\.5, expected long$/,
    );
    const priority = { ...completed, priority: 'urgent' };
    refuses(
      () => codec.encode(priority as never),
      'invalid_payload',
      /^TaskCompleted\.priority: .* expected ravenhelm\.Priority$/,
    );
    const without = { ...completed, payload: undefined };
    refuses(
      () => codec.encode(without as never),
      'invalid_payload',
      /^TaskCompleted\.payload: found undefined/,
    );
  });

  it('refuses an event_type that the schema does not have, both ways', () => {
    refuses(
      () => codec.encode({ ...completed, event_type: 'task_done' } as never),
      'invalid_payload',
      /'task_done'/,
    );
    const started = { ...completed, event_type: 'task_started' };
    refuses(
      () => codec.encodeRecord('TaskCompleted', started as never),
      'invalid_payload',
      /expected task_completed/,
    );
    const body = entryOf('TaskCompleted').type.toBuffer(started);
    const bytes = Buffer.concat([codec.encode(completed).subarray(0, 5), body]);
    refuses(
      () => codec.decode(bytes),
      'invalid_payload',
      /event_type: found 'task_started', expected task_completed/,
    );
  });

  it('says what is wrong with bytes that are not a record', () => {
    const bytes = codec.encode(completed);
    refuses(
      () => codec.decode(Buffer.from('{"brief":"x"}')),
      'undecodable',
      /0x7b as the first byte, expected 0x00/,
    );
    refuses(() => codec.decode(Buffer.alloc(0)), 'undecodable', /found 0 bytes/);
    refuses(() => codec.decode(Buffer.alloc(4)), 'undecodable', /found 4 bytes/);
    refuses(() => codec.decode(bytes.subarray(0, -1)), 'undecodable', /end before ravenhelm\.TaskCompleted/);
    refuses(
      () => codec.decode(Buffer.concat([bytes, Buffer.alloc(2)])),
      'undecodable',
      /found 2 bytes after the end/,
    );
    const unknown = Buffer.from(bytes);
    unknown.writeInt32BE(4711, 1);
    refuses(() => codec.decode(unknown), 'schema_unknown', /4711/);
  });

  it('answers garbage with a Failure and nothing else', () => {
    const ids = [...numberedIds().values()];
    const body = fc.oneof(fc.uint8Array({ maxLength: 600 }), damaged());
    fc.assert(
      fc.property(fc.constantFrom(...ids), body, (id, garbage) => {
        const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), garbage]);
        bytes.writeInt32BE(id, 1);
        answersOrFails(codec, bytes);
        answersOrFails(codec, Buffer.from(garbage));
      }),
      { numRuns: 1500 },
    );
  });

  it('does not believe an array that says it has more items than there are bytes', async () => {
    const entry = entryOf('MissionPlan');
    const huge = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    const wider = createCodec(numberedIds(), async () => withExtraArray(entry));
    // The array of tasks, which is read; and an array after it that only the writer had, which is skipped.
    const cases = [
      { id: numberedIds().get(entry.fullName) ?? 0, body: huge },
      { id: 9_000, body: Buffer.concat([Buffer.from([0]), huge]) },
    ];
    for (const { id, body } of cases) {
      const bytes = Buffer.concat([Buffer.alloc(headerLength), Buffer.from([2, 0x6d]), body]);
      bytes.writeInt32BE(id, 1);
      await wider.load(bytes, signal);
      refuses(() => wider.decode(bytes), 'undecodable', /array of \d+ items/);
    }
  });
});

describe('codec with records of other versions', () => {
  const foreign = 9_001;
  const stored = new Map<number, string>();
  const asked: number[] = [];
  const fetching = createCodec(numberedIds(), async (id) => {
    asked.push(id);
    return stored.get(id) ?? null;
  });
  const written = async (text: string, value: object, id: number) => {
    stored.set(id, text);
    const bytes = Buffer.concat([Buffer.alloc(5), parseSchema(text).toBuffer(value)]);
    bytes.writeInt32BE(id, 1);
    assert.equal(fetching.knows(bytes), false);
    refuses(() => fetching.decode(bytes), 'schema_unknown', new RegExp(String(id)));
    await fetching.load(bytes, signal);
    assert.equal(fetching.knows(bytes), true);
    return bytes;
  };

  it('reads a field that it does not know, and fills in one that is missing', async () => {
    const { text } = entryOf('TaskCompleted');
    const extra = edited(text, (fields) => [...fields, { name: 'later', type: 'string', default: '' }]);
    const newer = await written(
      extra,
      { ...completed, payload: { ...completed.payload, later: 'x' } },
      foreign,
    );
    assert.deepStrictEqual(fetching.decode(newer), { name: 'TaskCompleted', value: completed });
    const fewer = edited(text, (fields) =>
      fields.filter(({ name }) => name !== 'usage' && name !== 'result'),
    );
    const older = await written(fewer, completed, foreign + 1);
    const value = { ...completed, payload: { ...completed.payload, result: '' } };
    assert.deepStrictEqual(fetching.decode(older), { name: 'TaskCompleted', value });
  });

  it('reads every schema with a field more, and is read by it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...catalog).chain((entry) => fc.tuple(fc.constant(entry), arbitraryOf(entry))),
        ([entry, value]) => {
          const extra = JSON.parse(entry.text) as { fields: object[] };
          extra.fields.push({ name: 'later', type: { type: 'array', items: 'long' }, default: [] });
          const wider = parseSchema(JSON.stringify(extra));
          const resolver = entry.type.createResolver(wider);
          const bytes = wider.toBuffer({ ...value, later: [1, 2, 3] });
          assert.deepStrictEqual(entry.type.fromBuffer(bytes, resolver), value);
          const back = wider.createResolver(entry.type);
          assert.deepStrictEqual(wider.fromBuffer(entry.type.toBuffer(value), back), { ...value, later: [] });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('remembers that an id is unknown', async () => {
    const bytes = codec.encode(completed);
    bytes.writeInt32BE(777_777, 1);
    asked.length = 0;
    assert.equal(fetching.knows(bytes), false);
    await fetching.load(bytes, signal);
    assert.equal(fetching.knows(bytes), true);
    await fetching.load(bytes, signal);
    assert.deepStrictEqual(asked, [777_777]);
    refuses(() => fetching.decode(bytes), 'schema_unknown', /777777/);
  });

  it('does not remember that the registry had no answer', async () => {
    let answers = false;
    const shaky = createCodec(numberedIds(), async () => {
      if (!answers) throw new Failure('registry_unavailable', 'no answer');
      return entryOf('TaskCompleted').text;
    });
    const bytes = codec.encode(completed);
    bytes.writeInt32BE(foreign, 1);
    await assert.rejects(shaky.load(bytes, signal), { code: 'registry_unavailable' });
    answers = true;
    await shaky.load(bytes, signal);
    assert.deepStrictEqual(shaky.decode(bytes).value, completed);
  });

  it('says that a schema is not ours, or cannot be read as ours', async () => {
    const other = JSON.stringify({ type: 'record', name: 'other.Thing', fields: [] });
    const thing = await written(other, {}, foreign + 2);
    refuses(() => fetching.decode(thing), 'unexpected_type', /other\.Thing/);
    const text = edited(entryOf('TaskCompleted').text, (fields) =>
      fields.filter(({ name }) => name !== 'task_id'),
    );
    const bytes = await written(text, completed, foreign + 3);
    refuses(() => fetching.decode(bytes), 'undecodable', /task_id/);
    stored.set(foreign + 4, 'syntax = "proto3";');
    bytes.writeInt32BE(foreign + 4, 1);
    await fetching.load(bytes, signal);
    refuses(() => fetching.decode(bytes), 'unexpected_type', /not an Avro schema of ours/);
  });

  it('is made only when all ids are known', () => {
    const ids = new Map(numberedIds());
    ids.delete('ravenhelm.TaskStarted');
    refuses(
      () => createCodec(ids),
      'schema_not_registered',
      /ravenhelm\.TaskStarted: run `ravenhelm schemas register`/,
    );
  });
});

describe('hash chain', () => {
  it('hashes the body without the header, so that ids of another registry change nothing', () => {
    const bytes = codec.encode(completed);
    const elsewhere = createCodec(numberedIds(5000)).encode(completed);
    assert.notDeepStrictEqual(bytes, elsewhere);
    assert.equal(bodyHash(bytes), bodyHash(elsewhere));
    assert.equal(bodyHash(bytes), createHash('sha256').update(bytes.subarray(5)).digest('hex'));
  });

  it('numbers from 1 and carries the hash of the record before', () => {
    assert.deepStrictEqual(chainLink(emptyChain), { sequence: 1, previous_hash: '' });
    const bytes = codec.encode(completed);
    const tail = hashChain(emptyChain, bytes);
    assert.deepStrictEqual(chainLink(tail), { sequence: 2, previous_hash: bodyHash(bytes) });
  });
});

function answersOrFails(reader: Codec, bytes: Buffer): void {
  try {
    reader.decode(bytes);
  } catch (error) {
    assert.ok(error instanceof Failure, `not a Failure: ${String(error)}`);
  }
}

/** Bodies of real records with some bytes changed or cut off: these get further than noise does. */
function damaged(): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  return fc
    .constantFrom(...catalog)
    .chain((entry) =>
      fc.tuple(fc.constant(entry), arbitraryOf(entry), fc.array(change, { maxLength: 5 }), fc.nat()),
    )
    .map(([entry, value, changes, cut]) => {
      const body = entry.type.toBuffer(value);
      for (const [at, byte] of changes) body[at % body.length] = byte;
      return body.subarray(0, body.length - (cut % 3));
    });
}

interface Field {
  readonly name: string;
  readonly type?: unknown;
  readonly default?: unknown;
}

/** An event's schema with the fields of its payload changed. */
function edited(text: string, change: (fields: readonly Field[]) => readonly Field[]): string {
  const schema = JSON.parse(text) as { fields: { name: string; type: { fields: readonly Field[] } }[] };
  const payload = schema.fields.find(({ name }) => name === 'payload');
  assert.ok(payload);
  payload.type.fields = change(payload.type.fields);
  return JSON.stringify(schema);
}

function withExtraArray(entry: CatalogEntry): string {
  const schema = JSON.parse(entry.text) as { fields: object[] };
  schema.fields.push({ name: 'later', type: { type: 'array', items: 'string' }, default: [] });
  return JSON.stringify(schema);
}
