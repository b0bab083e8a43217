import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseMission } from '#missions/load.ts';
import { decide } from '#orchestrator/decide.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import { defaultPolicy } from '#orchestrator/policy.ts';
import { foldMission } from './mission-fold.ts';
import { createOutput } from './output.ts';
import { checkPlanOutput, showPlan } from './plan-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'ravenhelm-plan-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const there = join(folder, 'there.yaml');
writeFileSync(there, 'mine');

const brief = 'Deploy the platform with TLS and monitoring';
const roles = ['cert_agent', 'observability_agent'];

/** A mission that only wants its plan. */
function planned() {
  const fold = foldMission();
  const options = { ...defaultPolicy.options, planner: 'heuristic', hierarchy: 'tiers', plan_only: true };
  const about = { mission_id: 'm', name: '', brief, tasks: [], priority: 'normal', traceparent: '' } as const;
  const policy = { ...defaultPolicy, options };
  const decision = decide(
    null,
    { kind: 'submit', ...about, policy, roles, parent: null, depth: 0, rules: 0 },
    { now: 1 },
  );
  assert.ok(decision.kind === 'facts');
  decision.facts.forEach((draft, position) => {
    const envelope = { correlation_id: 'm', timestamp: 1, priority: 'normal', sequence: position + 1 };
    fold.add({ ...draft, ...envelope } as FactEvent);
  });
  return fold;
}

function invocation(json = false) {
  const said = { out: '', err: '' };
  const stdout = { write: (text: string) => (said.out += text) !== '' };
  const stderr = { write: (text: string) => (said.err += text) !== '' };
  const output = createOutput({ stdout, stderr, env: {}, json });
  return { said, io: { output, env: {}, signal: new AbortController().signal } };
}

describe('the plan of a mission that is only planned', () => {
  it('is not asked for in ways that say nothing, or twice, or over a file that is there', () => {
    const wrong = [
      [
        () => checkPlanOutput(false, false, { save: 'x' }),
        /--save: found a mission that is to run, expected --plan-only/,
      ],
      [() => checkPlanOutput(false, false, { mermaid: true }), /--mermaid: found a mission that is to run/],
      [() => checkPlanOutput(false, true, { force: true }), /--force: found nothing to overwrite/],
      [() => checkPlanOutput(true, true, { mermaid: true }), /--mermaid: found --json/],
      [() => checkPlanOutput(false, true, { save: there }), /--save: found the file .*there\.yaml/],
    ] as const;
    for (const [check, says] of wrong) assert.throws(check, says);
    checkPlanOutput(false, true, { save: there, force: true });
    checkPlanOutput(true, true, {});
  });

  it('is a table, a drawing or a document, with what the planner says', () => {
    const given = parseMission(`brief: ${brief}`, 'm.yaml');
    const [text, drawing, json] = [invocation(), invocation(), invocation(true)];
    assert.equal(showPlan(text.io, planned(), {}, given), true);
    assert.match(text.said.out, /^WAVE {2}ID/);
    assert.match(text.said.err, /tasks in \d+ waves, made without a model\n {2}planned without a model/);
    showPlan(drawing.io, planned(), { mermaid: true }, given);
    assert.match(drawing.said.out, /^flowchart LR\n/);
    showPlan(json.io, planned(), {}, given);
    const document = JSON.parse(json.said.out) as { made_by: string; notes: string[]; tasks: unknown[] };
    assert.equal(document.made_by, 'heuristic');
    assert.ok(document.tasks.length >= 3 && document.notes.length > 0);
    assert.equal(json.said.err, '');
  });

  it('is saved with all that was asked for, so that the same mission comes of it', () => {
    const file = `brief: ${brief}
priority: high
budget: { usd: 1, per_task: { calls: 3 }, at_limit: ask }
on_failure: continue
deadline: 1h
limits: { max_attempts: 2 }
models: { default: ollama/a }
retries: [{ code: timeout, role: cert_agent, max_attempts: 4, initial: 2s }]
max_replans: 3
plan_only: true
emit: [Begun]
subscriptions: [{ name: s, on: Begun, pause: look }]
planner: heuristic
`;
    const given = parseMission(file, 'm.yaml');
    const fold = planned();
    const { io, said } = invocation();
    const save = join(folder, 'plan.yaml');
    showPlan(io, fold, { save }, given);
    const { tasks, ...read } = parseMission(readFileSync(save, 'utf8'), save);
    const { tasks: _, options, ...rest } = given;
    // It is to be run, and asks for the tiers that a brief gets without asking.
    assert.deepEqual(read, { ...rest, options: { ...options, plan_only: false, hierarchy: 'tiers' } });
    assert.deepEqual(
      tasks,
      fold.state?.plan?.tasks.map((task) => ({ ...task, wave: 0 })),
    );
    assert.match(
      said.err,
      /Saved as .*plan\.yaml: edit it, and `ravenhelm run .*plan\.yaml` carries it out\.\n/,
    );
    // It came to be there after it was looked for.
    assert.throws(() => showPlan(io, fold, { save: there }, given), /--save: found the file/);
    assert.equal(readFileSync(there, 'utf8'), 'mine');
    assert.equal(showPlan(io, foldMission(), {}, given), false);
  });
});
