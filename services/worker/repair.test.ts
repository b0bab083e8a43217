/** An answer that does not fit goes back to the model once, with what is wrong with it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scrubber } from '#chassis/secrets.ts';
import { type Model, type ModelRequest, noUsage } from './models/model.ts';
import { scriptedModel } from './models/scripted.ts';
import { planSpec } from './plan-spec.ts';
import { decodeStep, Log, type Rehearsal, rehearsalCodec, rehearse } from './rehearsal.ts';

const script = { calls: [], answer: '' };
const answer = planSpec({ roles: ['developer'], needs: [] });
const task = (more: object = {}) => ({ id: 'a', role: 'developer', description: 'Do it.', ...more });
const plan = (...tasks: object[]) => JSON.stringify({ tasks });
const good = plan(task());

/** Says one text after the other; it dies instead of answering the call `dies`. */
class Planner {
  readonly log = new Log();
  readonly asked: ModelRequest[] = [];
  readonly #says: readonly string[];

  constructor(...says: string[]) {
    this.#says = says;
  }

  async run(lease: number, more: Partial<Rehearsal> = {}, dies = Number.NaN): Promise<string> {
    const worker = new AbortController();
    const model: Model = {
      ...scriptedModel(script),
      ...{ provider: 'p', model: 'm', paid: true, finite: false },
      call: (request) => {
        this.asked.push({ ...request, messages: [...request.messages] });
        if (this.asked.length === dies) {
          worker.abort(new Error('killed'));
          return Promise.reject(new Error('killed'));
        }
        // By what it was asked, as a model does: not by how often.
        const made = request.messages.filter(({ role }) => role === 'assistant').length;
        const text = this.#says[made] ?? 'nothing more';
        return Promise.resolve({ text, tool_calls: [], stop_reason: 'end', usage: { ...noUsage, calls: 1 } });
      },
    };
    const { log } = this;
    const parts = { log, lease, workspaces: '/nowhere', script, model, answer, signal: worker.signal };
    return (await rehearse({ ...parts, ...more })).result;
  }

  types(): string[] {
    return this.log.records.map(({ value }) => decodeStep(rehearsalCodec(), value).event.event_type);
  }
}

const last = (request: ModelRequest | undefined): string => {
  const turn = request?.messages.at(-1);
  return turn?.role === 'user' ? turn.text : '';
};

describe('an answer that has to be a plan', () => {
  test('is taken at once when it fits, and the model was asked for its schema', async () => {
    const planner = new Planner(good);
    const result = JSON.parse(await planner.run(1)) as unknown;
    assert.deepEqual(result, { tasks: [{ ...task(), needs: [] }] });
    assert.deepEqual([planner.asked.length, planner.asked[0]?.answer], [1, answer.schema]);
  });

  test('is taken out of its fence', async () => {
    const planner = new Planner(`\`\`\`json\n${good}\n\`\`\``);
    assert.deepEqual(JSON.parse(await planner.run(1)), JSON.parse(await new Planner(good).run(1)));
    assert.equal(planner.asked.length, 1);
  });

  for (const [what, wrong, words] of [
    ['no JSON', 'Here is my plan.', /- found text that is not JSON \(.*\), expected one JSON document/],
    ['a role that is none', plan(task({ role: 'wizard' })), /found "wizard", expected one of developer/],
    ['a need that is none', plan(task({ needs: ['b'] })), /- tasks\[0\]\.needs of "a": found "b"/],
    ['no tasks', plan(), /- tasks: found none, expected at least one task/],
  ] as const) {
    test(`with ${what} goes back once, in words, and is mended`, async () => {
      const planner = new Planner(wrong, good);
      assert.match(await planner.run(1), /"id":"a"/);
      const [, second] = planner.asked;
      assert.match(last(second), words);
      assert.deepEqual(second?.messages.at(-2), { role: 'assistant', text: wrong, tool_calls: [] });
    });
  }

  test('all that is wrong is told at once', async () => {
    const planner = new Planner(plan(task({ role: 'wizard', needs: ['b'] }), task()), good);
    await planner.run(1);
    const told = last(planner.asked[1])
      .split('\n')
      .filter((line) => line.startsWith('- '));
    assert.equal(told.length, 3, told.join('\n'));
  });

  test('that does not fit twice ends the attempt, and so does a resume of it, without a call', async () => {
    const planner = new Planner('no', plan(task({ role: 'wizard' })), good);
    const end = { code: 'invalid_output', message: /after a repair: .*"wizard"/ };
    await assert.rejects(planner.run(1), end);
    await new Promise(setImmediate);
    await assert.rejects(planner.run(2), end);
    assert.equal(planner.asked.length, 2);
  });

  test('killed while it is mended: the resume asks for the repair alone, and in the same words', async () => {
    const planner = new Planner('no', good);
    await assert.rejects(planner.run(1, {}, 2), { message: 'killed' });
    assert.match(await planner.run(2), /"id":"a"/);
    const [, begun, again] = planner.asked;
    assert.equal(planner.asked.length, 3);
    assert.deepEqual(again, begun);
    const [started, ended] = ['model_call_started', 'model_call_ended'];
    assert.deepEqual(planner.types(), [started, ended, started, 'journal_resumed', started, ended]);
  });

  test('killed after it was mended: the resume asks nothing', async () => {
    const planner = new Planner('no', good);
    const result = await planner.run(1);
    assert.equal(await planner.run(2), result);
    assert.equal(planner.asked.length, 2);
  });

  test('killed again in its repair it still has but one', async () => {
    const planner = new Planner('no', 'no again', good);
    await assert.rejects(planner.run(1, {}, 2), { message: 'killed' });
    await assert.rejects(planner.run(2), { code: 'invalid_output' });
    assert.equal(planner.asked.length, 3);
  });

  test('a secret that hides in the escapes of its JSON is not told back', async () => {
    const value = 'hunter2hunter2';
    const wrong = plan(task({ role: value })).replace('hunter2', '\\u0068unter2');
    const planner = new Planner(wrong, good);
    await planner.run(1, { scrubber: scrubber([{ name: 'DB', value }]) });
    assert.match(last(planner.asked[1]), /found "\[secret:DB\]"/);
  });
});
