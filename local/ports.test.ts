import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import { choosePorts, defaultPorts, wishes } from './ports.ts';
import type { PortName, Ports } from './state.ts';

const wished = wishes('default', 3);
const names = Object.keys(wished) as PortName[];
const portOf = (ports: Ports, name: PortName) => ports[name] ?? assert.fail();

test('chosen ports are free, below the ephemeral range, each used once, and every move is told', async () => {
  const taken = fc.uniqueArray(fc.integer({ min: 15_400, max: 19_200 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(taken, fc.subarray(names), async (busy, kept) => {
      const moves = new Map<PortName, number>();
      const keep = new Set(kept);
      const ports = await choosePorts(
        wished,
        keep,
        (name, from, to) => {
          assert.equal(from, wished[name]);
          moves.set(name, to);
        },
        async (port) => !busy.includes(port),
      );
      assert.equal(new Set(Object.values(ports)).size, names.length);
      for (const name of names) {
        const port = portOf(ports, name);
        assert(port < 32_768);
        if (keep.has(name)) assert.equal(port, wished[name]);
        else assert(!busy.includes(port));
        assert.equal(moves.get(name) ?? wished[name], port);
      }
    }),
  );
});

test('a taken port moves to the next free one', async () => {
  const busy = new Set([19_092, 19_093]);
  const ports = await choosePorts(
    defaultPorts,
    new Set(),
    () => {},
    async (port) => !busy.has(port),
  );
  assert.equal(ports.kafka, 19_094);
  assert.equal(ports.controller, 19_095);
});

test('with nothing free there is a clear failure', async () => {
  await assert.rejects(
    choosePorts(
      defaultPorts,
      new Set(),
      () => {},
      async () => false,
    ),
    (error) => error instanceof Failure && error.code === 'stack_port_taken' && /19092/.test(error.message),
  );
});

test('ports for stacks side by side differ, and stay below the ephemeral range', () => {
  const starts = new Set<number>();
  for (let round = 0; round < 50; round++) {
    const ports = wishes('free', 3);
    assert.equal(new Set(Object.values(ports)).size, 10);
    starts.add(ports.kafka);
    for (const port of Object.values(ports)) assert(port >= 10_240 && port < 32_768);
  }
  assert(starts.size > 40);
});
