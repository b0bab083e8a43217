import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { catalogue, Failure, type FailureCode } from '#chassis/failures.ts';
import { adviceFor } from './advice.ts';
import { exitCodeOf } from './exit-code.ts';
import { createOutput } from './output.ts';

/** A stream that keeps what is written. */
function sink(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 80, rows: 24, written, write: (text: string) => written.push(text) > 0 };
}

function outputOf(settings: { tty: boolean; json: boolean; env?: NodeJS.ProcessEnv }) {
  const stdout = sink(settings.tty);
  const stderr = sink(settings.tty);
  const output = createOutput({ stdout, stderr, env: settings.env ?? {}, json: settings.json });
  return { output, stdout: stdout.written, stderr: stderr.written };
}

const broken = new Failure('topic_missing', 'found no topic x');

describe('output', () => {
  it('tells a failure with its code and what to do, on standard error', () => {
    const { output, stdout, stderr } = outputOf({ tty: false, json: false });
    output.fail(broken);
    assert.deepEqual(stdout, []);
    assert.equal(
      stderr.join(''),
      'error topic_missing: found no topic x\n' +
        '  `ravenhelm topics diff` shows what differs, `ravenhelm topics apply` mends it.\n',
    );
  });

  it('tells a failure as one JSON document with --json', () => {
    const { output, stdout, stderr } = outputOf({ tty: true, json: true });
    output.fail(broken);
    assert.deepEqual(stdout, []);
    assert.deepEqual(JSON.parse(stderr.join('')), {
      error: { code: 'topic_missing', message: 'found no topic x' },
    });
  });

  it('keeps notes out of JSON, and off standard output', () => {
    const json = outputOf({ tty: false, json: true });
    json.output.note('3 facts read');
    assert.deepEqual([json.stdout, json.stderr], [[], []]);
    const text = outputOf({ tty: false, json: false });
    text.output.note('3 facts read');
    assert.deepEqual([text.stdout, text.stderr], [[], ['3 facts read\n']]);
  });

  it('writes a JSON document as one line where a program reads it', () => {
    const { output, stdout } = outputOf({ tty: false, json: true });
    output.document({ a: [1, 2] }, true);
    assert.deepEqual(stdout, ['{"a":[1,2]}\n']);
  });

  it('colours only on a terminal, and not against NO_COLOR, a dumb terminal or --json', () => {
    const colored = (settings: Parameters<typeof outputOf>[0]) =>
      outputOf(settings).output.colors.red('x') !== 'x';
    assert.equal(colored({ tty: true, json: false }), true);
    assert.equal(colored({ tty: false, json: false }), false);
    assert.equal(colored({ tty: true, json: true }), false);
    assert.equal(colored({ tty: true, json: false, env: { NO_COLOR: '1' } }), false);
    assert.equal(colored({ tty: true, json: false, env: { NO_COLOR: '' } }), true);
    assert.equal(colored({ tty: true, json: false, env: { TERM: 'dumb' } }), false);
  });
});

describe('exit codes', () => {
  it('tells bad input, interruption and everything else apart', () => {
    assert.equal(exitCodeOf('invalid_mission'), 2);
    assert.equal(exitCodeOf('invalid_plan'), 2);
    assert.equal(exitCodeOf('role_unknown'), 2);
    assert.equal(exitCodeOf('stack_incomplete_address'), 2);
    assert.equal(exitCodeOf('aborted'), 130);
    assert.equal(exitCodeOf('services_not_running'), 1);
    assert.equal(exitCodeOf('ledger_broken'), 1);
  });

  it('has advice for every failure', () => {
    for (const code of Object.keys(catalogue) as FailureCode[]) assert.match(adviceFor(code), /\.$/, code);
  });
});
