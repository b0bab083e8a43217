import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planMermaid, planTable, type ViewTask } from './plan-view.ts';
import { width } from './table.ts';

const task = (id: string, wave: number, more: Partial<ViewTask> = {}): ViewTask => ({
  ...{ id, wave, role: 'developer', description: `Do ${id}.\n\nThe whole mission: much more`, needs: [] },
  ...more,
});
const plan = [
  task('report', 2, { needs: ['design', 'build'], partial: true, role: 'drummer' }),
  task('design', 1),
  task('build', 1, { description: 'Build "it"; #1 <b>\nfast' }),
  task('check', 3, { needs: ['report'] }),
];

/** What Mermaid shows of a label. */
const shown = (label: string) =>
  label.replace(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));

describe('planTable', () => {
  it('has a line for each task, wave by wave', () => {
    assert.deepEqual(planTable(plan), [
      'WAVE  ID      ROLE       NEEDS          DESCRIPTION',
      '   1  design  developer                 Do design.',
      '   1  build   developer                 Build "it"; #1 <b> fast',
      '   2  report  drummer    design, build  Do report.',
      '   3  check   developer  report         Do check.',
    ]);
  });

  it('keeps to the terminal, and lets no text move the cursor', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 90 }), (text, columns) => {
        const lines = planTable([task(text, 1, { role: text, description: text, needs: [text] })], columns);
        assert.equal(lines.length, 2);
        for (const line of lines) {
          assert.ok(width(line) <= columns);
          assert.doesNotMatch(line, /\p{Cc}/u);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('planMermaid', () => {
  it('draws a box around each wave, and arrows along the needs', () => {
    assert.equal(
      planMermaid(plan),
      `flowchart LR
  subgraph wave1["wave 1"]
    t1["design<br/>developer<br/>Do design#46;"]
    t2["build<br/>developer<br/>Build #34;it#34;#59; #35;1 #60;b#62; fast"]
  end
  subgraph wave2["wave 2"]
    t0["report<br/>drummer<br/>Do report#46;"]
  end
  subgraph wave3["wave 3"]
    t3["check<br/>developer<br/>Do check#46;"]
  end
  t1 -.-> t0
  t2 -.-> t0
  t0 --> t3
`,
    );
  });

  it('takes any text for a label and for nothing else', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc
        .array(
          fc.constantFrom(
            ...[
              '"]',
              'end',
              '\n',
              '%%{init: {}}%%',
              '`',
              '#quot;',
              ';',
              '-->',
              'click t0 "x"',
              '<script>',
              'style t0:#f00;',
            ],
            ...[
              'subgraph',
              '|',
              '{',
              '}',
              '(',
              ')',
              '\u2028',
              '\u202e',
              '\ud800',
              '🐦',
              '写',
              ':::c',
              '@{',
              '\\',
              '&lt;',
            ],
          ),
        )
        .map((parts) => parts.join(' ')),
    );
    const line =
      /^(?:flowchart LR| {2}subgraph wave\d+\["wave \d+"\]| {4}t\d+\["(?:[\p{L}\p{M}\p{N} ,_-]|#\d+;|<br\/>)*"\]| {2}end| {2}t\d+ --> t\d+|)$/u;
    fc.assert(
      fc.property(hostile, hostile, hostile, (id, role, description) => {
        const drawn = planMermaid([task(id, 1, { role, description }), task('next', 2, { needs: [id] })]);
        for (const each of drawn.split('\n')) assert.match(each, line);
        assert.equal(drawn.split('\n').length, 9);
      }),
    );
  });

  it('shows the text that was given', () => {
    const label =
      /t0\["([^"]*)"\]/.exec(planMermaid([task('a.b', 1, { description: '50% of "x"; #1' })]))?.[1] ?? '';
    assert.deepEqual(label.split('<br/>').map(shown), ['a.b', 'developer', '50% of "x"; #1']);
  });
});
