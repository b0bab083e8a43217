import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import { decide } from './decide.ts';
import type { FactDraft } from './facts.ts';
import type { IgnoreReason, Input } from './input.ts';
import { noTail, type SealedFact, seal, type Tail } from './ledger.ts';
import { metrics } from './metrics.ts';
import { names } from './positions.ts';
import type { Sender } from './sender.ts';
import { checkSize, sizeAfter } from './sizes.ts';
import { type MissionState, missionHasEnded, toRecords } from './state.ts';
import { changesStatus, missionStatus } from './status.ts';
import { hasToUndo, notUndoneIds, undoingOf } from './undoing.ts';

/** What the shell knows of a mission. */
export interface Mission {
  readonly state: MissionState;
  readonly tail: Tail;
  /** The wave that started last. */
  readonly wave: number;
  /** The most bytes that its state and its plan can have in the changelog; see `sizes.ts`. */
  readonly size: number;
}

/** A decision with all that it writes, encoded and measured. Nothing of it has happened yet. */
export interface Prepared {
  readonly next: Mission;
  readonly facts: readonly FactDraft[];
  readonly events: readonly SealedFact[];
  readonly related: ReturnType<Sender['prepare']>;
  /** Null: people see the status that they saw before. */
  readonly status: Buffer | null;
}

export interface PrepareSettings {
  readonly mission_id: string;
  readonly causation_id: string;
  readonly now: number;
  readonly codec: Codec;
  readonly sender: Sender;
}

/**
 * What follows from an input, ready to be sent, or why nothing does. Where a record of it would be too large, that
 * decision is dropped, and the mission fails instead, or is rejected: by an input of its own, so that `verify` can
 * decide it again. What was done is undone first, if there is room for that.
 */
export function prepare(
  mission: Mission | null,
  input: Input,
  how: PrepareSettings,
): Prepared | IgnoreReason {
  try {
    return attempt(mission, input, how);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    metrics.tooLarge.inc();
    const { code } = error;
    const message = `${error.message}; dropped for it: ${nameOf(input)}`;
    if (mission === null) {
      if (input.kind !== 'submit') throw error;
      const { mission_id, priority, parent } = input;
      return attempt(null, { kind: 'refuse', mission_id, priority, parent, code, message }, how);
    }
    return failing(mission, code, message, how);
  }
}

function failing(
  mission: Mission,
  code: 'mission_too_large',
  message: string,
  how: PrepareSettings,
): Prepared | IgnoreReason {
  const { state } = mission;
  if (state.undoing === '' && hasToUndo(state)) {
    try {
      return attempt(mission, { kind: 'fail', code, message, undo: true }, how);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
    }
  }
  const left = `${message}${notUndone(state)}`;
  return attempt(mission, { kind: 'fail', code, message: left, undo: false }, how);
}

const isTooLarge = (error: unknown): error is Failure & { readonly code: 'mission_too_large' } =>
  error instanceof Failure && error.code === 'mission_too_large';

function nameOf(input: Input): string {
  switch (input.kind) {
    case 'report':
      return `the report ${input.event.event_type} ${input.event.event_id}`;
    case 'timer':
      return `the timer ${input.timer} ${input.task_id}`;
    default:
      return `the command to ${input.kind}`;
  }
}

function notUndone(state: MissionState): string {
  const undoing = undoingOf(state);
  if (undoing === null && !hasToUndo(state)) return '';
  const why = undoing === null ? '' : `; it was being undone for ${undoing.code}`;
  return `${why}; not undone: ${names(notUndoneIds(state)) || 'nothing'}`;
}

function attempt(
  mission: Mission | null,
  input: Input,
  { mission_id, causation_id, now, codec, sender }: PrepareSettings,
): Prepared | IgnoreReason {
  const decision = decide(mission?.state ?? null, input, { now });
  if (decision.kind === 'ignored') return decision.reason;
  const { state, facts } = decision;
  const { priority } = state;
  const tail = mission?.tail ?? noTail;
  const sealed = seal(facts, { mission_id, priority, causation_id, now, tail, codec });
  for (const { event, bytes } of sealed.events) checkSize(event.event_type, bytes.length);
  const related = sender.prepare(sealed.events, state);
  const grown = { facts: sealed.events, tasks: state.tasks.length - (mission?.state.tasks.length ?? 0) };
  const next = {
    state,
    tail: sealed.tail,
    wave: waveAfter(mission?.wave ?? 0, facts),
    // Of an ended mission next to nothing is kept.
    size: missionHasEnded(state)
      ? 0
      : sizeAfter(mission?.size ?? 0, grown, () => sizeOf(state, sealed.tail, codec)),
  };
  const shown = facts.some((fact) => changesStatus.has(fact.event_type));
  return { next, facts, events: sealed.events, related, status: shown ? statusOf(next, codec) : null };
}

export function sizeOf(state: MissionState, tail: Tail, codec: Codec): { state: number; plan: number } {
  const { mission, plan } = toRecords(state, tail);
  return {
    state: codec.encodeRecord('MissionState', mission).length,
    plan: plan === null ? 0 : codec.encodeRecord('MissionPlan', plan).length,
  };
}

const waveAfter = (before: number, facts: readonly FactDraft[]): number =>
  facts.reduce((last, fact) => (fact.event_type === 'wave_started' ? fact.payload.wave : last), before);

const statusOf = ({ state, tail, wave }: Mission, codec: Codec): Buffer =>
  codec.encode(missionStatus(state, tail, `${state.mission_id}:status:${tail.sequence}`, wave));
