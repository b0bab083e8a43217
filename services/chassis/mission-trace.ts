/**
 * Where the spans of a mission are. Every service works these ids out from what the log says, so that a task's span
 * can name the mission's span as its parent long before that one is ended and sent.
 */
import { hash, randomBytes } from 'node:crypto';
import { readTraceparent, type SpanPlace, writeTraceparent } from './traceparent.ts';

export interface MissionTrace {
  readonly traceId: string;
  /** Of the mission's own span. */
  readonly spanId: string;
  /** Who asked for the mission, where that is a span of somebody else; null: the mission's span is the root. */
  readonly caller: SpanPlace | null;
}

const digest = (text: string, digits: number): string => hash('sha256', text).slice(0, digits);

const missionSpanId = (missionId: string): string => digest(`ravenhelm mission ${missionId}`, 16);

/** `traceparent` is what the mission came with. Without one, or with one that is none, its trace follows from its id. */
export function traceOfMission(missionId: string, traceparent: string | null): MissionTrace {
  const spanId = missionSpanId(missionId);
  const caller = readTraceparent(traceparent);
  if (caller === null) return { traceId: digest(`ravenhelm trace ${missionId}`, 32), spanId, caller };
  return { traceId: caller.traceId, spanId, caller: caller.spanId === spanId ? null : caller };
}

/** The `traceparent` of a new mission whose own span is to be the root of a trace: our commands have no span to name. */
export function newMissionTraceparent(missionId: string): string {
  const traceId = randomBytes(16).toString('hex');
  return writeTraceparent({ traceId, spanId: missionSpanId(missionId), sampled: true });
}

/** The span of one lease of an attempt, so that whoever resumes it can name it. */
export function leaseSpanId(missionId: string, taskId: string, attempt: number, lease: number): string {
  return digest(`ravenhelm lease ${JSON.stringify([missionId, taskId, attempt, lease])}`, 16);
}
