/** Whatever others have written, a person's terminal shows text. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#chassis/failures.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { factLine } from './fact-line.ts';
import { oneLine } from './format.ts';
import { liveArea } from './live-area.ts';
import { logLine } from './log-line.ts';
import { createOutput } from './output.ts';
import { planTable } from './plan-view.ts';
import { coloredText, plainJson, plainText } from './terminal-text.ts';

/** What terminals obey: clear, move, retitle, hyperlink, hide, clipboard, one-byte CSI, device strings, bell, backspace. */
const attacks = [
  ...['\u001b[2J\u001b[H', '\u001b[1A\u001b[2K', '\u001b]0;owned\u0007', '\u001b]8;;http://evil\u001b\\here'],
  ...['\u001b[8m', '\u001b]52;c;ZXZpbA==\u0007', '\u009b2J', '\u001bP$q\u001b\\', '\u0007', '\b\b\b', '\r'],
  ...['\u001b[', '\u001b', '\u007f', '\u0090', '\u202e', '\u2066', '\u200b', '\u{e0041}', '\u001b[38;5;1m'],
];
const anyText = fc
  .array(fc.oneof(fc.constantFrom(...attacks, '\n', 'rm -rf', '\u001b[31m'), fc.string({ unit: 'binary' })))
  .map((pieces) => pieces.join(''));
const forbidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b]|[\u{e0000}-\u{e007f}]/u;
const withoutOurs = (text: string) => text.replace(/\u001b\[(?:1|2|22|31|32|33|36|39)m/g, '');

/** All that an output writes. */
function written(
  tty: boolean,
  json: boolean,
  say: (output: ReturnType<typeof createOutput>) => void,
): string {
  const texts: string[] = [];
  const sink = { isTTY: tty, columns: 80, rows: 24, write: (text: string) => texts.push(text) > 0 };
  say(createOutput({ stdout: sink, stderr: sink, env: {}, json }));
  return texts.join('');
}

describe('text of others', () => {
  it('never reaches a terminal with control sequences, whatever a command prints', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, tty) => {
        const said = written(tty, false, (output) => {
          output.line(text);
          output.line(output.colors.red(text));
          output.note(text);
          output.fail(new Failure('invalid_mission', text));
        });
        assert.doesNotMatch(withoutOurs(said), forbidden);
        if (!tty) assert.ok(!said.includes('\u001b'));
        assert.doesNotMatch(plainText(text), forbidden);
        assert.doesNotMatch(oneLine(text), /[\n\t]/);
      }),
      { numRuns: 500 },
    );
  });

  it('stays what it is in JSON, and is shown in escapes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const value = { text, [text]: [text] };
        for (const tty of [true, false]) {
          const said = written(tty, true, (output) => output.document(value, true));
          assert.doesNotMatch(said, forbidden);
          assert.deepEqual(JSON.parse(said), JSON.parse(JSON.stringify(value)));
        }
      }),
    );
    assert.equal(plainJson('{"a":"\u009b\u{e0041}"}'), '{"a":"\\u009b\\udb40\\udc41"}');
  });

  it('is not in the live view, in a table of tasks, in a fact or in a log line', () => {
    for (const text of attacks) {
      const drawn: string[] = [];
      const area = liveArea({ isTTY: true, columns: 80, write: (piece) => drawn.push(piece) > 0 });
      area.draw(['START', `${text}x`, 'END']);
      area.end();
      const whole = drawn.join('');
      const between = whole.slice(whole.indexOf('START') + 5, whole.indexOf('END'));
      // Between lines stands what clears to their ends, which is ours.
      assert.doesNotMatch(withoutOurs(between).replaceAll('\u001b[K', ''), forbidden, JSON.stringify(text));
      const task = {
        id: `a${text}`,
        role: `r${text}`,
        description: `d${text}`,
        needs: [`n${text}`],
        wave: 1,
      };
      assert.doesNotMatch(planTable([task]).join('\n'), forbidden);
      assert.doesNotMatch(factLine(asked(text)), forbidden);
      const line = JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00Z', msg: text, [text]: text });
      const colors = createOutput({
        stdout: process.stdout,
        stderr: process.stderr,
        env: {},
        json: true,
      }).colors;
      assert.doesNotMatch(plainText(logLine(line, colors)), forbidden);
    }
  });

  it('shows hidden characters of a call that a person is asked about, and turns nothing round', () => {
    assert.equal(oneLine('rm \u202egpj.txt'), 'rm ‹U+202E›gpj.txt');
    assert.equal(plainText('a\u200bb\r\nc\td'), 'a‹U+200B›b\nc\td');
  });

  it('leaves ordinary text and our own colours alone', () => {
    for (const text of ['Größe: 5 µm ✔', '日本語\n\tja', '👩‍💻 → ⟦x⟧', '']) {
      assert.equal(plainText(text), text);
      assert.equal(coloredText(`\u001b[32m${text}\u001b[39m`), `\u001b[32m${text}\u001b[39m`);
    }
  });
});

/** A review whose texts a model has written. */
function asked(text: string): FactEvent {
  const payload = {
    ...{ review_id: 'm/t/1/2', kind: 'tool_call', task_id: 't', attempt: 1, lease: 1, agent: 'a', step: 2 },
    ...{ tool: `x${text}`, arguments: '{}', arguments_hash: '', reason: text, expires_at: 0 },
  };
  const event = { event_type: 'review_requested', source_agent: 'r', target_agent: 'person', payload };
  return event as unknown as FactEvent;
}
