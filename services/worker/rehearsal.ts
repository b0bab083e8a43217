/**
 * For tests of the loop: one attempt at a task, played against an array of journal records. `cut` is where the worker
 * dies: from then on its records are lost and nothing that it waits for comes, while what it need not wait for still
 * happens, as it may when a process is killed.
 */

import { unlessAborted } from '#chassis/deadline.ts';
import { type Scrubber, scrubber } from '#chassis/secrets.ts';
import { defaultSandboxRules } from '#roles/sandbox-front-matter.ts';
import { catalog } from '#schemas/catalog.ts';
import { type Codec, createCodec } from '#schemas/codec.ts';
import type { Amounts, NeedResult, ReviewAnswer, Script } from '#schemas/types.gen.ts';
import { Agent, type AgentParts } from './agent.ts';
import type { AnswerSpec } from './answer-spec.ts';
import {
  Journal,
  type JournalOwner,
  type JournalSink,
  resumeMarker,
  type StepEvent,
  type StepRecord,
  stepTypes,
} from './journal.ts';
import { foldJournal, type JournalRecord, nothingRecorded } from './journal-fold.ts';
import type { Model } from './models/model.ts';
import { scriptedModel } from './models/scripted.ts';
import { type Toolbox, toolboxOf, toolNames } from './tools/toolbox.ts';
import { Workspace } from './workspace.ts';

/** A codec whose schema ids are made up: bytes that no registry has seen. */
export const rehearsalCodec = (): Codec =>
  createCodec(new Map(catalog.map((entry, index) => [entry.fullName, index + 1])));

export function ownerOf(lease: number): JournalOwner {
  return {
    mission_id: 'mission',
    task_id: 'task',
    role: 'cert_agent',
    agent: `agent-${lease}`,
    attempt: 1,
    lease,
    priority: 'normal',
    causation_id: 'mission:3',
  };
}

/** A step event of bytes; anything else is an error. */
export function decodeStep(codec: Codec, bytes: Buffer): JournalRecord {
  const { value } = codec.decode(bytes);
  if ('event_type' in value && isStep(value)) return { event: value, bytes };
  throw new Error('not a step');
}

function isStep(value: { event_type: string }): value is StepEvent {
  return stepTypes.some((type) => type === value.event_type);
}

/** The log: records that landed, up to a number of them. */
export class Log implements JournalSink {
  readonly records: StepRecord[] = [];
  cut = Number.POSITIVE_INFINITY;

  append(records: readonly StepRecord[]): Promise<void> {
    this.records.push(...records.slice(0, Math.max(0, this.cut - this.records.length)));
    if (this.records.length < this.cut) return Promise.resolve();
    // The records may have landed; that they did is never heard.
    return new Promise(() => {});
  }
}

export interface Rehearsal {
  readonly log: Log;
  readonly lease: number;
  readonly workspaces: string;
  readonly script: Script;
  readonly toolbox?: Toolbox;
  readonly model?: Model;
  readonly maxSteps?: number;
  readonly signal?: AbortSignal;
  readonly guard?: () => void;
  readonly needs?: readonly NeedResult[];
  readonly context?: string;
  readonly budget?: Amounts;
  readonly answers?: readonly ReviewAnswer[];
  readonly answer?: AnswerSpec;
  readonly scrubber?: Scrubber;
  readonly description?: string;
  readonly suspect?: AgentParts['suspect'];
}

/** Runs the attempt to its end under a lease; with a lease above 1 it is a resume of what the log holds. */
export async function rehearse(
  rehearsal: Rehearsal,
): Promise<{ result: string; agent: Agent; journal: Journal }> {
  const codec = rehearsalCodec();
  const owner = ownerOf(rehearsal.lease);
  const signal = rehearsal.signal ?? new AbortController().signal;
  let recorded = nothingRecorded;
  if (rehearsal.lease > 1) {
    await unlessAborted(rehearsal.log.append([resumeMarker(owner, codec, 0)]), signal);
    recorded = foldJournal(
      rehearsal.log.records.map(({ value }) => decodeStep(codec, value)),
      owner,
    );
  }
  const journal = new Journal(owner, { codec, sink: rehearsal.log, now: () => 0, tail: recorded.tail });
  const agent = new Agent({
    task: {
      ...owner,
      description: rehearsal.description ?? 'Do it.',
      needs: rehearsal.needs ?? [],
      context: rehearsal.context ?? '',
      budget: rehearsal.budget ?? null,
      answers: rehearsal.answers ?? [],
    },
    settings: { temperature: null, maxOutputTokens: 8_192 },
    answer: rehearsal.answer ?? null,
    scrubber: rehearsal.scrubber ?? scrubber([]),
    now: () => 0,
    ...(rehearsal.suspect === undefined ? {} : { suspect: rehearsal.suspect }),
    prompt: { text: 'You are cert_agent.', version: '1', hash: '1' },
    model: rehearsal.model ?? scriptedModel(rehearsal.script),
    toolbox: rehearsal.toolbox ?? toolboxOf(toolNames, { ...defaultSandboxRules, shell: true }),
    maxSteps: rehearsal.maxSteps ?? 50,
    journal,
    recorded,
    workspace: new Workspace(rehearsal.workspaces, owner.mission_id),
    signal,
    guard: rehearsal.guard ?? (() => {}),
    remaining: () => 60_000,
  });
  const result = await agent.run();
  await journal.flush(signal);
  return { result, agent, journal };
}
