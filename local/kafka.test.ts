import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { javaVersion } from './java.ts';
import { clusterId, kafkaSettings } from './kafka.ts';
import { decodeBrokers, splitBroker } from './kafka-answer.ts';

const settings = new Map(
  kafkaSettings('/some/data', { kafka: 19092, controller: 19093 })
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
);

test('every listener of the broker is on loopback', () => {
  const addresses = ['listeners', 'advertised.listeners'].flatMap(
    (name) => settings.get(name)?.split(',') ?? [],
  );
  assert.equal(addresses.length, 3);
  for (const address of addresses) assert.match(address, /^[A-Z]+:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(settings.get('controller.quorum.voters'), '1@127.0.0.1:19093');
});

test('nothing internal wants more than the one node there is, and topics are not made by accident', () => {
  for (const [name, value] of settings) {
    if (/replication\.factor$|min\.isr$/.test(name)) assert.equal(value, '1', name);
  }
  assert.equal(settings.get('auto.create.topics.enable'), 'false');
  assert.equal(settings.get('log.cleaner.enable'), 'true');
});

test('a cluster id is 16 bytes that no command line takes for an option', () => {
  for (let round = 0; round < 200; round++) assert.match(clusterId(), /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
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
