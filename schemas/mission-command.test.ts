import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryOf } from './catalog.ts';
import { missionCommand } from './mission-command.ts';

test('what is left out has the default of the schema', () => {
  const { fields } = JSON.parse(entryOf('MissionCommand').text) as {
    fields: readonly { readonly name: string; readonly default: unknown }[];
  };
  const defaults = Object.fromEntries(fields.map(({ name, default: value }) => [name, value]));
  assert.deepEqual(JSON.parse(JSON.stringify(missionCommand({}))), defaults);
});
