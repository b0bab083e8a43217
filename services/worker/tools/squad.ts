/**
 * The tools by which agents speak to each other: each call is a report to the orchestrator, and a fact when it accepts
 * it. They have no other way to speak. All but two say something and go on; `hand_off` ends the attempt, and
 * `require_dependency` parks it.
 */
import { hash } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';
import { handOffText, handOffTool } from '#worker/handed-off.ts';
import type { SaidReport } from '#worker/report.ts';
import type { Speaker } from '#worker/speaker.ts';
import {
  checkpointInput,
  contextInput,
  decisionInput,
  emitInput,
  handOffInput,
  mostBytes,
  provideInput,
  requireInput,
} from './squad-input.ts';
import { defineTool, type Tool, type ToolContext, type ToolResult } from './tool.ts';

const makers: Readonly<Record<string, (speaker: Speaker) => Tool>> = {
  record_decision: recordDecision,
  save_checkpoint: saveCheckpoint,
  share_context: shareContext,
  provide_dependency: provideDependency,
  require_dependency: requireDependency,
  emit_event: emitEvent,
  [handOffTool]: handOff,
};

export const squadToolNames: readonly string[] = Object.keys(makers);

/** Those of the tools that a role lists, for one task. */
export const squadTools = (speaker: Speaker, listed: readonly string[]): readonly Tool[] =>
  Object.entries(makers).flatMap(([name, make]) => (listed.includes(name) ? [make(speaker)] : []));

/** What is said twice is accepted once: the report of a step has always the same id. */
const effect = () => 'idempotent' as const;

async function said(
  speaker: Speaker,
  report: SaidReport,
  { signal }: Pick<ToolContext, 'signal'>,
  output: object,
): Promise<ToolResult> {
  await speaker.say(report, signal);
  return { ok: true, output: JSON.stringify(output), truncated: false };
}

/** Output: JSON `{recorded: true}`. */
function recordDecision(speaker: Speaker): Tool {
  return defineTool({
    name: 'record_decision',
    description: 'Records a decision that you made, with its reasons, for people and for other agents.',
    input: decisionInput,
    effect,
    run: (decided, context) => {
      const payload = { ...decided, step: context.step };
      return said(speaker, { event_type: 'decision_recorded', payload }, context, { recorded: true });
    },
  });
}

/** Output: JSON `{name, content_hash}`. */
function saveCheckpoint(speaker: Speaker): Tool {
  return defineTool({
    name: 'save_checkpoint',
    description:
      'Saves how far you are. If this attempt fails, the next one is told what the last checkpoint says.',
    input: checkpointInput,
    effect,
    run: ({ name, content }, context) => {
      const kept = hashed(speaker, content, mostBytes.checkpoint);
      const { content_hash } = kept;
      const payload = { name, ...kept, step: context.step };
      return said(speaker, { event_type: 'checkpoint_created', payload }, context, { name, content_hash });
    },
  });
}

/** Output: JSON `{scope, content_hash}`. */
function shareContext(speaker: Speaker): Tool {
  return defineTool({
    name: 'share_context',
    description: 'Tells all tasks of this mission that begin later what they should know.',
    input: contextInput,
    effect,
    run: ({ scope, content }, context) => {
      const kept = hashed(speaker, content, mostBytes.context);
      const { content_hash } = kept;
      const payload = { scope, ...kept, step: context.step };
      return said(speaker, { event_type: 'context_synced', payload }, context, { scope, content_hash });
    },
  });
}

/** Output: JSON `{provided}`, the name. */
function provideDependency(speaker: Speaker): Tool {
  return defineTool({
    name: 'provide_dependency',
    description: 'Provides what other tasks of this mission wait for, or will ask for, by its name.',
    input: provideInput,
    effect,
    run: ({ name, value }, context) => {
      const payload = { dependency: name, value, step: context.step };
      return said(speaker, { event_type: 'dependency_resolved', payload }, context, { provided: name });
    },
  });
}

/** Output: the value. Fails with `dependency_unavailable` when nobody can provide it any more. */
function requireDependency(): Tool {
  return defineTool({
    name: 'require_dependency',
    description:
      'Waits for what another task of this mission provides under a name, and gives it. Ask only for what you know ' +
      'that another task provides: while you wait, nothing of yours goes on.',
    input: requireInput,
    effect: () => 'none',
    requires: ({ name, reason }) => ({ dependency: name, reason }),
    run: () => {
      throw new Failure('internal_error', 'require_dependency is answered from outside, and was run');
    },
  });
}

/** Output: JSON `{emitted}`, the name. */
function emitEvent(speaker: Speaker): Tool {
  return defineTool({
    name: 'emit_event',
    description: 'Says that something happened, for whoever waits for such an event and reacts to it.',
    input: emitInput,
    effect,
    run: ({ name, topic, severity, data }, context) => {
      const what = { name, topic, severity, data: JSON.stringify(data) };
      const payload = { ...what, step: context.step, subscription: '', trigger: '', hops: 0 };
      return said(speaker, { event_type: 'event_emitted', payload }, context, { emitted: name });
    },
  });
}

/** Its outcome ends the attempt (`handed-off.ts`); the report of it is the end's. */
function handOff(speaker: Speaker): Tool {
  return defineTool({
    name: handOffTool,
    description:
      'Hands your task over to another role, with what it has to know. Your work on it ends with this call.',
    input: handOffInput,
    effect: () => 'none',
    run: ({ role, context, reason }) => {
      if (role === speaker.role) {
        const found = `role: found ${role}, which has the task already, expected another`;
        throw new Failure('invalid_arguments', `${handOffTool}: ${found}`);
      }
      const output = handOffText({ to_role: role, context: speaker.scrub(context), reason });
      return Promise.resolve({ ok: true, output, truncated: false });
    },
  });
}

/** What is kept is without secrets, so that its hash is that of what is on the ledger. Throws `invalid_arguments`. */
function hashed(speaker: Speaker, content: string, limit: number) {
  const kept = speaker.scrub(content);
  const length = Buffer.byteLength(kept);
  if (length > limit) {
    throw new Failure('invalid_arguments', `content: found ${length} bytes, expected at most ${limit}`);
  }
  return { content: kept, content_hash: hash('sha256', kept) };
}
