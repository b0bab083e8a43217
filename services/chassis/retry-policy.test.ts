import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { topicNames } from '#topics/table.ts';
import { defaultRetryPolicy, delayAfter, matches, placeOfRecord, retrying } from './retry-policy.ts';
import { parseRetryPolicy } from './retry-policy-file.ts';

const names = topicNames('p');
const task = placeOfRecord(names, names.tasks('builder'), 'm-1/a');

describe('the policy of retries', () => {
  it('tries again what may pass by itself, and nothing else', () => {
    const retries = (code: string) => retrying(defaultRetryPolicy, code, task).retries;
    assert.deepEqual(['schema_unknown', 'role_unknown', 'handler_failed'].map(retries), [7, 6, 3]);
    for (const code of ['undecodable', 'invalid_payload', 'unexpected_type', 'record_too_large', 'x'])
      assert.equal(retries(code), 0, code);
  });

  it('keeps the order of commands and assignments, not of reports', () => {
    const order = (topic: string) =>
      retrying(defaultRetryPolicy, 'handler_failed', placeOfRecord(names, topic, 'm')).order;
    assert.deepEqual([names.missions, names.reports, names.tasks('a')].map(order), ['key', 'none', 'key']);
  });

  it('takes of the rules that fit the one that names most', () => {
    const policy = parseRetryPolicy(
      'rules:\n  - { retries: 1 }\n  - { code: handler_failed, role: builder, mission: "m-*", retries: 9, first: 8s }\n' +
        '  - { role: builder, retries: 2, order: none }\n',
      'f',
    );
    assert.deepEqual(retrying(policy, 'handler_failed', task), { retries: 9, order: 'none', first: '8s' });
    const other = placeOfRecord(names, names.reports, 'x');
    assert.deepEqual(retrying(policy, 'handler_failed', other), { retries: 1, order: 'none', first: '1s' });
    assert.equal(retrying(policy, 'undecodable', task).retries, 0);
  });

  it('says of a file all that is wrong, each with its line', () => {
    assert.throws(
      () =>
        parseRetryPolicy(
          'rules:\n  - { code: oops, retries: 1 }\n  - { code: timeout }\n  - { retries: -1 }\n',
          'f',
        ),
      {
        code: 'invalid_configuration',
        message: /f:2: rules\.0\.code: .*\n.*f:3: .*says nothing.*\n.*f:4: rules\.2\.retries/,
      },
    );
  });

  it('goes through the delays and stays at the last', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7].map((attempt) => delayAfter(attempt, '1s')),
      [...['1s', '2s', '4s', '8s', '16s', '30s', '30s']],
    );
  });

  it('matches as a pattern with * does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (given, found) => {
        const expected = new RegExp(`^${given.replaceAll('*', '.*')}$`).test(found);
        assert.equal(matches(given, found), expected);
      }),
    );
  });
});
