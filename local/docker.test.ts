import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { composeArguments, composeEnvironment, projectName, servicesIn } from './docker.ts';
import { defaultPorts } from './ports.ts';

const text = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8');
const compose = parse(text) as { services: Record<string, { image: string; ports?: string[] }> };

test('every port is published on loopback only, the default being the one of the other kinds', () => {
  const published = Object.values(compose.services).flatMap((service) => service.ports ?? []);
  const known = new Set<number>(Object.values(defaultPorts));
  assert.equal(published.length, 4);
  for (const port of published) {
    const match = /^127\.0\.0\.1:\$\{RAVENHELM_[A-Z]+_PORT:-(\d+)\}:\d+$/.exec(port);
    assert(match !== null && known.has(Number(match[1])), port);
  }
});

test('what the file reads from the environment is exactly what is set', () => {
  const read = new Set(Array.from(text.matchAll(/\$\{(\w+)/g), (match) => match[1]));
  assert.deepEqual([...read].sort(), Object.keys(composeEnvironment(defaultPorts)).sort());
});

test('every image has a fixed version', () => {
  for (const { image } of Object.values(compose.services)) assert.match(image, /:v?\d+(\.\d+)*$/);
});

test('stacks of two directories are two projects, with names that compose takes', () => {
  assert.notEqual(projectName('/a/.ravenhelm'), projectName('/b/.ravenhelm'));
  assert.equal(projectName('/a/.ravenhelm'), projectName('/a/x/../.ravenhelm'));
  assert.match(projectName('/a'), /^[a-z0-9][a-z0-9_-]*$/);
  const [command, , name] = composeArguments('/a', ['ps']);
  assert.deepEqual([command, name], ['compose', projectName('/a')]);
});

test('services are read from both ways in which compose has written them', () => {
  const redpanda = { Service: 'redpanda', State: 'running', Health: 'healthy' };
  const postgres = { Service: 'postgres', State: 'exited', Health: '' };
  const expected = [
    { name: 'redpanda', state: 'running (healthy)' },
    { name: 'postgres', state: 'exited' },
  ];
  assert.deepEqual(servicesIn(`${JSON.stringify(redpanda)}\n${JSON.stringify(postgres)}\n`), expected);
  assert.deepEqual(servicesIn(JSON.stringify([redpanda, postgres])), expected);
  assert.deepEqual(servicesIn(''), []);
});
