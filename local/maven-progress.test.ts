import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { transferCounter } from './maven-progress.ts';

const output = [
  '[INFO] Scanning for projects...\n',
  'Downloading from central: https://example.org/a.pom\n',
  'Progress (1): 4.1/18 kB\rProgress (1): 18 kB    \r                    \r',
  'Downloaded from central: https://example.org/a.pom (18 kB at 92 kB/s)\n',
  'Progress (2): 0.5/2.0 MB | 100/310 kB\rProgress (2): 1.5/2.0 MB | 310 kB\r',
  'Downloaded from central: https://example.org/b.jar (310 kB at 1.8 MB/s)\n',
  'Progress (1): 2.0 MB\rDownloaded from central: https://example.org/c.jar (2.0 MB at 3 MB/s)\n',
].join('');

test('finished and running transfers are added up', () => {
  const count = transferCounter();
  const lines = output.split(/(?<=[\r\n])/);
  const seen = lines.map(count);
  assert.deepEqual([...new Set(seen)], [0, 4_100, 18_000, 618_000, 1_828_000, 2_328_000]);
});

test('the output may be cut anywhere, and the count never goes back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(output.length)), (cuts) => {
      const count = transferCounter();
      let last = 0;
      let from = 0;
      for (const to of [...cuts.sort((a, b) => a - b), output.length]) {
        const now = count(output.slice(from, to));
        assert(now >= last);
        last = now;
        from = to;
      }
      assert.equal(last, 2_328_000);
    }),
  );
});
