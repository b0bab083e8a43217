/** One claimed task, from its assignment to the report of how it ended. */

import { hash } from 'node:crypto';
import { unlessAborted } from '#chassis/deadline.ts';
import { asFailure, Failure } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import type { Publisher } from '#chassis/publisher.ts';
import type { Scrubber } from '#chassis/secrets.ts';
import { stopPoint } from '#chassis/stop-point.ts';
import { needsNoModel } from '#orchestrator/planning.ts';
import type { Role } from '#roles/load.ts';
import { temperatureOf } from '#roles/model-front-matter.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf, PayloadOf } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';
import { Agent } from './agent.ts';
import { Awaiting } from './awaiting.ts';
import { HandedOff } from './handed-off.ts';
import { heuristicAnswer } from './heuristic-plan.ts';
import { Journal, type JournalOwner, markerId, resumeMarker, taskKey } from './journal.ts';
import { foldJournal, type JournalRecord, nothingRecorded, type Recorded } from './journal-fold.ts';
import type { Instant, Lease, WorkerClock } from './lease.ts';
import { chooseModel } from './models/choose.ts';
import type { Models } from './models/open-models.ts';
import { Parked } from './parked.ts';
import { planSpec, rolesForPlanner } from './plan-spec.ts';
import { policed } from './policed-toolbox.ts';
import { type EndReport, type Report, reportEvent } from './report.ts';
import { dataRule } from './safety/quote.ts';
import { tracedModel } from './spans.ts';
import type { Speaker } from './speaker.ts';
import type { Sharer } from './tools/insights.ts';
import { squadTools } from './tools/squad.ts';
import type { Tool } from './tools/tool.ts';
import { type MoreTools, toolboxOf } from './tools/toolbox.ts';
import { Violated } from './violated.ts';
import { Workspace } from './workspace.ts';

/** A task that this worker has claimed, and so must end or release. */
export interface Claim {
  readonly assignment: EventOf<'task_assigned'>;
  /** The partition of the steps topic that holds the journal: of a resume, the one that its assignment names. */
  readonly journalPartition: number;
  /** Taken before the claim was sent: the lease counts from here. */
  readonly claimedAt: Instant;
  readonly traceparent: string | null;
}

/**
 * Reads the records of the steps topic with this key, in order, from `offset` until the marker with the event id
 * `until`, which is already written there.
 */
export type JournalReader = (
  range: { partition: number; offset: number; key: string; until: string },
  signal: AbortSignal,
) => Promise<readonly JournalRecord[]>;

export interface WorkerParts {
  /** The name of this worker. */
  readonly agent: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly models: Models;
  readonly codec: Codec;
  readonly publisher: Pick<Publisher, 'send'>;
  readonly readJournal: JournalReader;
  readonly topics: { readonly steps: string; readonly reports: string };
  /** The tools besides the built-in ones; none where it is left out. */
  readonly moreTools?: (role: Role, sharer: Sharer, signal: AbortSignal) => Promise<MoreTools>;
  /** The directory that holds a workspace for each mission. */
  readonly workspaces: string;
  readonly clock: WorkerClock;
  readonly scrubber: Scrubber;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Why a task is stopped from outside, where that is not a failure of the attempt. */
export class Stopped extends Error {
  readonly why: 'cancelled' | 'superseded' | 'drained';

  constructor(why: 'cancelled' | 'superseded' | 'drained') {
    super(`the task was ${why}`);
    this.name = 'Stopped';
    this.why = why;
  }
}

/** Of one answer, where the role does not say. */
const mostOutputTokens = 8_192;
/** How long the last records of a failed attempt may take to become durable. */
const LAST_FLUSH_MS = 5_000;

/**
 * Runs a task until it ends or `signal` aborts. Never throws. Gives null where there is nothing to report: the task
 * was cancelled, or its lease is lost, so that whoever holds it now reports.
 */
export async function runTask(
  claim: Claim,
  parts: WorkerParts,
  control: { lease: Lease; signal: AbortSignal },
): Promise<EndReport | null> {
  const { assignment } = claim;
  const { payload } = assignment;
  const { signal } = control;
  const began = parts.clock.monotonic();
  const owner: JournalOwner = {
    mission_id: assignment.correlation_id,
    task_id: payload.task_id,
    role: payload.role,
    agent: parts.agent,
    attempt: payload.attempt,
    lease: payload.lease,
    priority: assignment.priority,
    causation_id: assignment.event_id,
  };
  let agent: Agent | null = null;
  let journal: Journal | null = null;
  try {
    const role = parts.roles.get(payload.role);
    if (!role)
      throw new Failure(
        'role_unknown',
        `found role ${payload.role}, expected one of ${[...parts.roles.keys()].join(', ')}`,
      );
    if (needsNoModel(payload)) {
      const result = heuristicAnswer(payload);
      const end = endOf(agent, journal, parts.clock.monotonic() - began);
      return { event_type: 'task_completed', payload: { result, ...end } };
    }
    const recorded = await recordedSteps(claim, owner, parts, signal);
    journal = openJournal(owner, claim, recorded, parts);
    const moreTools = await parts.moreTools?.(role, owner, signal);
    const speaks = squadTools(speakerOf(claim, parts), role.tools);
    const more = speaks.length === 0 ? moreTools : withNamed(moreTools, speaks);
    agent = new Agent({
      task: { ...owner, ...payload },
      prompt: promptOf(role, payload, parts),
      model: tracedModel(
        chooseModel(
          { script: payload.script, role, override: payload.model, cheaper: payload.cheaper },
          parts.models,
        ),
      ),
      settings: {
        temperature: temperatureOf(role),
        maxOutputTokens: role.model?.max_tokens ?? mostOutputTokens,
      },
      answer: payload.kind === 'plan' ? planSpec(payload) : null,
      scrubber: parts.scrubber,
      now: () => parts.clock.now(),
      toolbox: policed(toolboxOf(role.tools, role.sandbox, more), role),
      maxSteps: role.limits.max_steps,
      journal,
      recorded,
      workspace: new Workspace(parts.workspaces, owner.mission_id),
      signal,
      guard: () => control.lease.guard(),
      suspect: (found) =>
        parts.log.warn(
          { mission: owner.mission_id, task: owner.task_id, ...found },
          'data that looks like an attempt on the agent',
        ),
      remaining: () => payload.timeout_ms - (parts.clock.monotonic() - claim.claimedAt.monotonic),
    });
    const result = await agent.run();
    await journal.flush(signal);
    stopPoint('end-durable');
    return {
      event_type: 'task_completed',
      payload: { result, ...endOf(agent, journal, parts.clock.monotonic() - began) },
    };
  } catch (error) {
    // What stopped the task counts, not what went wrong because it was stopped.
    const cause: unknown = signal.aborted ? signal.reason : error;
    if (cause instanceof Stopped) {
      if (cause.why !== 'drained') return null;
      return { event_type: 'task_released', payload: { reason: 'the worker is shutting down' } };
    }
    const task = {
      mission: owner.mission_id,
      task: owner.task_id,
      attempt: owner.attempt,
      lease: owner.lease,
    };
    // The steps that led here should be there for whoever asks why; the report does not depend on them.
    const durable = await flushed(journal);
    if (cause instanceof Parked && durable === null) {
      return { event_type: 'review_requested', payload: cause.question };
    }
    if (cause instanceof Awaiting && durable === null) {
      return { event_type: 'dependency_required', payload: cause.requirement };
    }
    const end = endOf(agent, journal, parts.clock.monotonic() - began);
    if (cause instanceof HandedOff && durable === null) {
      const { handOff, step } = cause;
      const payload = { from_role: owner.role, ...handOff, step, ...end };
      return { event_type: 'agent_handoff', payload };
    }
    const leaves = cause instanceof Parked || cause instanceof Awaiting || cause instanceof HandedOff;
    const why = leaves ? durable : cause;
    if (why instanceof Violated) {
      parts.log.warn({ ...task, ...why.violation }, 'a safety rule refused it');
      return { event_type: 'safety_violation', payload: { ...why.violation, ...end } };
    }
    const { code, message } = asFailure(why);
    if (code === 'lease_lost') {
      parts.log.warn({ ...task, reason: message }, 'lease lost: the task is left to its next owner');
      return null;
    }
    if (code === 'internal_error')
      parts.log.error({ ...task, err: why }, 'a task ran into an unexpected error');
    const said = parts.scrubber.text(message).slice(0, 2_000);
    return { event_type: 'task_attempt_failed', payload: { code, message: said, retry_at: 0, ...end } };
  }
}

/** The role's prompt, what follows from the task's kind, and the rule that data is data. */
function promptOf(role: Role, { kind, roles }: PayloadOf<'task_assigned'>, parts: WorkerParts) {
  const known = kind === 'plan' ? [rolesForPlanner(roles, parts.roles)] : [];
  const text = parts.scrubber.text([role.prompt, ...known, dataRule].join('\n\n'));
  return { text, version: role.prompt_version, hash: hash('sha256', text) };
}

/** What every end of an attempt says: how far it came and what it used up. */
const endOf = (agent: Agent | null, journal: Journal | null, durationMs: number) => ({
  steps: agent?.steps ?? 0,
  journal_hash: journal?.durable.hash ?? '',
  usage: agent?.usage ?? noUsage,
  duration_ms: Math.round(durationMs),
});

/** Null when all is durable; else why it is not. */
async function flushed(journal: Journal | null): Promise<unknown> {
  try {
    await journal?.flush(AbortSignal.timeout(LAST_FLUSH_MS));
    return null;
  } catch (error) {
    return error;
  }
}

const withNamed = (more: MoreTools = {}, tools: readonly Tool[]): MoreTools => ({
  ...more,
  named: [...(more.named ?? []), ...tools],
});

/** What the agent says in the middle of its task goes the way of its end: in order, under the mission's key. */
function speakerOf(claim: Claim, parts: WorkerParts): Speaker {
  const { assignment, traceparent } = claim;
  const headers = traceparent === null ? {} : { headers: { traceparent } };
  return {
    role: assignment.payload.role,
    scrub: (text) => parts.scrubber.text(text),
    async say(report, signal) {
      const value = encodeReport(claim, report, parts);
      const record = { key: assignment.correlation_id, value, ...headers };
      await unlessAborted(parts.publisher.send(parts.topics.reports, [record]), signal);
    },
  };
}

/** The bytes of a report, to be sent to the reports topic under the mission's key. */
export function encodeReport(claim: Claim, report: Report, parts: WorkerParts): Buffer {
  const said = parts.scrubber.value(report);
  return parts.codec.encode(reportEvent(claim.assignment, parts.agent, said, parts.clock.now()));
}

async function recordedSteps(
  claim: Claim,
  owner: JournalOwner,
  parts: WorkerParts,
  signal: AbortSignal,
): Promise<Recorded> {
  const { lease, journal_partition: partition, journal_offset: offset } = claim.assignment.payload;
  if (lease === 1 || partition < 0 || offset < 0) return nothingRecorded;
  const { key, value } = resumeMarker(owner, parts.codec, parts.clock.now());
  await unlessAborted(parts.publisher.send(parts.topics.steps, [{ key, value, partition }]), signal);
  const records = await parts.readJournal({ partition, offset, key, until: markerId(owner) }, signal);
  return foldJournal(records, owner);
}

function openJournal(
  owner: JournalOwner,
  { journalPartition: partition, traceparent }: Claim,
  recorded: Recorded,
  parts: WorkerParts,
): Journal {
  const headers = traceparent === null ? {} : { headers: { traceparent } };
  return new Journal(owner, {
    codec: parts.codec,
    now: () => parts.clock.now(),
    tail: recorded.tail,
    sink: {
      async append(records) {
        // The partition is named, not left to the key: a journal stays where its assignment says, even when partitions are added.
        const placed = records.map((record) => ({ ...record, partition, ...headers }));
        await parts.publisher.send(parts.topics.steps, placed);
      },
    },
  });
}

export const claimKey = ({ assignment }: Claim): string =>
  taskKey(assignment.correlation_id, assignment.payload.task_id);
