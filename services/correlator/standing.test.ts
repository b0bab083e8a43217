import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emits, subscription } from './scenario.ts';
import { StandingReactions } from './standing.ts';

const definition = (name: string, applied_at: number) => ({
  name,
  subscription: subscription(name, { type: 'A' }, emits('B')),
  aggregator: null,
  applied_by: '',
  applied_at,
});
const names = (standing: StandingReactions, time: number) =>
  standing.at(time).subscriptions.map(({ name }) => name);

test('a definition holds for what happens after it was applied, until it is gone', () => {
  const standing = new StandingReactions();
  standing.take('later', definition('later', 200));
  standing.take('early', definition('early', 100));
  const held = [99, 100, 200].map((time) => names(standing, time));
  assert.deepEqual(held, [[], ['early'], ['early', 'later']]);
  standing.take('early', null);
  assert.deepEqual(names(standing, 200), ['later']);
  standing.take('later', null);
  assert.deepEqual(names(standing, 200), []);
});
