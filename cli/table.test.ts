import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { dateTime, duration, oneLine } from './format.ts';
import { cut, table, width } from './table.ts';

describe('table', () => {
  it('aligns columns, numbers to the right, and ends lines without blanks', () => {
    assert.deepEqual(
      table(
        ['name', 'tasks'],
        [
          ['a', 5],
          ['longer', 12],
          ['b', null],
        ],
      ),
      ['NAME    TASKS', 'a           5', 'longer     12', 'b'],
    );
  });

  it('does not count colours', () => {
    const lines = table(
      ['a', 'b'],
      [
        ['\u001b[32mok\u001b[39m', 'x'],
        ['failed', 'y'],
      ],
    );
    assert.deepEqual(lines.map(stripVTControlCharacters), ['A       B', 'ok      x', 'failed  y']);
  });

  it('keeps a cell on one line', () => {
    assert.deepEqual(table(['a'], [['one\r\n  two']]), ['A', 'one two']);
  });

  it('is never wider than the terminal', () => {
    const cell = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell)), fc.integer({ min: 1, max: 60 }), (rows, columns) => {
        for (const line of table(['one', 'two'], rows, columns)) assert.ok(width(line) <= columns);
      }),
    );
  });

  it('cuts with a mark', () => {
    assert.equal(cut('abcdef', 4), 'abc…');
    assert.equal(cut('abcd', 4), 'abcd');
  });
});

describe('formats', () => {
  it('tells durations in the units that matter', () => {
    const told = [0, 85.4, 1400, 59_960, 60_000, 125_000, 12_000_000, 86_400_000, 90 * 86_400_000].map(
      duration,
    );
    const expected = ['0 ms', '85 ms', '1.4 s', '1 min', '1 min', '2 min 5 s', '3 h 20 min', '24 h', '90 d'];
    assert.deepEqual(told, expected);
  });

  it('shows no time that is not set', () => {
    assert.equal(dateTime(0), '');
    assert.match(dateTime(1_700_000_000_000), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  });

  it('takes out of a text what would move the cursor', () => {
    assert.equal(oneLine('a\u001b[2Jb\nc'), 'ab…');
    assert.equal(oneLine('a\u0007\u009bb'), 'a  b');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that must not be there.
        assert.doesNotMatch(oneLine(text), /[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});
