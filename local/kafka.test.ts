import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BrokerCount, brokersOf } from './brokers.ts';
import { javaVersion } from './java.ts';
import { kafkaSettings, newClusterId } from './kafka.ts';
import { decodeBrokers, splitBroker } from './kafka-answer.ts';
import { wishes } from './ports.ts';

const settingsOf = (brokers: BrokerCount, id = 1): Map<string, string> => {
  const all = brokersOf({ brokers, ports: wishes('default', brokers) });
  const broker = all.find((each) => each.id === id) ?? assert.fail();
  return new Map(
    kafkaSettings('/some/data', broker, all)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line): [string, string] => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
};

test('every listener of each broker is on loopback', () => {
  for (const [brokers, id] of [
    [1, 1],
    [3, 1],
    [3, 2],
    [3, 3],
  ] as const) {
    const settings = settingsOf(brokers, id);
    const addresses = ['listeners', 'advertised.listeners'].flatMap(
      (name) => settings.get(name)?.split(',') ?? [],
    );
    assert.equal(addresses.length, 3);
    for (const address of addresses) assert.match(address, /^[A-Z]+:\/\/127\.0\.0\.1:\d+$/);
  }
});

test('all controllers vote, and each knows the others', () => {
  assert.equal(settingsOf(1).get('controller.quorum.voters'), '1@127.0.0.1:19093');
  for (const id of [1, 2, 3]) {
    const settings = settingsOf(3, id);
    assert.equal(settings.get('node.id'), String(id));
    assert.equal(
      settings.get('controller.quorum.voters'),
      '1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097',
    );
  }
});

test('one broker wants nothing more than itself; of three, one may be away and sessions are as Kafka has them', () => {
  const one = settingsOf(1);
  const three = settingsOf(3);
  for (const [name, value] of one) {
    if (/replication\.factor$|min\.isr$|insync\.replicas$/.test(name)) assert.equal(value, '1', name);
  }
  for (const [name, value] of three) {
    if (name.endsWith('replication.factor')) assert.equal(value, '3', name);
    if (/min\.isr$|insync\.replicas$/.test(name)) assert.equal(value, '2', name);
    assert(!/^broker\.(session|heartbeat)/.test(name), name);
  }
  const copies = (settings: Map<string, string>) =>
    [...settings.keys()].filter((name) => /replication\.factor$|min\.isr$|insync\.replicas$/.test(name))
      .length;
  assert.deepEqual([copies(one), copies(three)], [7, 7]);
});

test('topics are not made by accident, and changelogs are compacted', () => {
  for (const brokers of [1, 3] as const) {
    const settings = settingsOf(brokers);
    assert.equal(settings.get('auto.create.topics.enable'), 'false');
    assert.equal(settings.get('log.cleaner.enable'), 'true');
  }
});

test('a cluster id is 16 bytes that no command line takes for an option', () => {
  for (let round = 0; round < 200; round++) assert.match(newClusterId(), /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
});

test('the brokers in an answer are read as they were written', () => {
  const broker = fc.record({
    host: fc.stringMatching(/^[a-zé.-]{1,20}$/),
    port: fc.integer({ min: 1, max: 65_535 }),
    rack: fc.option(fc.string({ maxLength: 5 })),
  });
  fc.assert(
    fc.property(fc.array(broker, { maxLength: 5 }), (brokers) => {
      const rest = Buffer.from([0, 1, 65, 0, 0, 0, 1, 0, 0, 0, 0]);
      const parts = brokers.map(({ host, port, rack }, id) =>
        Buffer.concat([int32(id), string(host), int32(port), rack === null ? int16(-1) : string(rack)]),
      );
      const answer = Buffer.concat([int32(0), int32(brokers.length), ...parts, rest]);
      assert.deepEqual(
        decodeBrokers(answer),
        brokers.map(({ host, port }) => `${host}:${port}`),
      );
    }),
  );
});

test('a broker is a host and a port', () => {
  assert.deepEqual(splitBroker('kafka:19092'), { host: 'kafka', port: 19092 });
  assert.deepEqual(splitBroker('[::1]:19092'), { host: '::1', port: 19092 });
  assert.deepEqual(splitBroker('kafka'), { host: 'kafka', port: 9092 });
  assert.throws(() => splitBroker('kafka:port'), /is not an address like host:port/);
});

test('Java tells its version in several ways', () => {
  assert.equal(javaVersion('openjdk version "17.0.15" 2025-04-15'), 17);
  assert.equal(javaVersion('java version "1.8.0_402"'), 8);
  assert.equal(javaVersion('openjdk version "25" 2025-09-16'), 25);
  assert.equal(javaVersion('Unable to locate a Java Runtime.'), null);
});

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
