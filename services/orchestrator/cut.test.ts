import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cut } from './cut.ts';

describe('cut', () => {
  it('keeps what fits, and else the longest beginning of whole characters', () => {
    assert.equal(cut('abcdef', 6), 'abcdef');
    assert.equal(cut('abcdefg', 6), 'abc…');
    assert.equal(cut('äöü', 5), 'ä…');
    assert.equal(cut('😀😀', 7), '😀…');
    assert.equal(cut('😀😀', 6), '…');
    assert.equal(cut('abc', 2), '');
  });

  it('never exceeds the limit and never makes up characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, most) => {
        const kept = cut(text, most);
        assert.ok(Buffer.byteLength(kept) <= most);
        assert.ok(kept === text || text.startsWith(kept.replace(/…$/, '')));
      }),
    );
  });
});
