import { Failure } from '#chassis/failures.ts';
import type { FactEvent } from '#orchestrator/facts.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { DecodedRecord } from '../decoding.ts';
import type { ExitCode } from '../exit-code.ts';
import { type Birth, birthOf, type Family, familyOf } from '../family.ts';
import type { Invocation } from '../invocation.ts';
import { placeOfMission, readLedger } from '../ledger.ts';
import { checkedMissionId } from '../mission-command.ts';
import type { Output } from '../output.ts';
import { progressOf } from '../progress.ts';
import { readDecoded } from '../read-decoded.ts';
import { sinceTime } from '../since.ts';
import { type Moment, type Timeline, timelineOf } from '../timeline.ts';
import { mermaidLimits, timelineFlow, timelineSequence } from '../timeline-mermaid.ts';
import { missionLines, shownMoments, timelineTable, timelineTree } from '../timeline-view.ts';

export interface TimelineOptions {
  readonly tree?: boolean;
  readonly mermaid?: boolean;
  readonly alone?: boolean;
  readonly since?: string;
  readonly types?: string;
}

/** Records carry the time at which they were sent: a little later than that of their fact, if clocks agree. */
const clocksMayDifferMs = 60_000;

/** Who told whom what, when, and what led to it: of a mission, of those that come from it, and of what led to it. */
export async function timeline(io: Invocation, given: string, options: TimelineOptions): Promise<ExitCode> {
  const { output, signal } = io;
  const mission = checkedMissionId(given);
  const since = options.since === undefined ? null : sinceTime(options.since, Date.now()).getTime();
  const types = typesOf(options.types);
  const told = await withConnection(io, async (connection) => {
    const reading = { connection, output, signal, starts: await startsOf(connection, since) };
    const family = options.alone === true ? onlyIt(mission) : await readFamily(reading, mission);
    return timelineOf(await readFacts(reading, family), family.above);
  });
  signal.throwIfAborted();
  if (told.moments.length === 0) {
    const when = since === null ? '' : ` since ${new Date(since).toISOString()}`;
    throw new Failure('not_found', `the ledger has no fact of mission ${mission}${when}`);
  }
  show(output, told, shownMoments(told, { since, types }), options);
  return 0;
}

function typesOf(given: string | undefined): readonly string[] {
  if (given === undefined) return [];
  const types = given
    .split(',')
    .map((type) => type.trim())
    .filter((type) => type !== '');
  if (types.length > 0) return types;
  const expected = 'expected event types with commas between, like task_*,ApiDesigned';
  throw new Failure('invalid_arguments', `--types: found ${JSON.stringify(given)}, ${expected}`);
}

function show(output: Output, told: Timeline, moments: readonly Moment[], options: TimelineOptions): void {
  const { colors, screen } = output;
  if (output.json) {
    output.document(documentOf(told, moments), true);
    return;
  }
  if (options.mermaid === true) {
    const drawn = options.tree === true ? timelineFlow(told, moments) : timelineSequence(told, moments);
    if (drawn.length > mermaidLimits.characters || moments.length > mermaidLimits.arrows) {
      output.note(
        `${moments.length} facts: Mermaid draws up to ${mermaidLimits.arrows} arrows and ` +
          `${mermaidLimits.characters} characters unless maxEdges and maxTextSize say more; --types and --since show fewer`,
      );
    }
    output.line(drawn.trimEnd());
    return;
  }
  for (const line of missionLines(told, colors)) output.line(line);
  output.line();
  if (moments.length === 0) output.line('No fact of these types, or of this time.');
  const lines =
    options.tree === true
      ? timelineTree(told, moments, colors, screen.columns)
      : timelineTable(told, moments, screen.columns);
  if (moments.length > 0) for (const line of lines) output.line(line);
}

function documentOf({ missions }: Timeline, moments: readonly Moment[]) {
  return {
    missions,
    events: moments.map(({ fact, after, cause }) => ({
      event_id: fact.event_id,
      mission: fact.correlation_id,
      sequence: fact.sequence,
      at: new Date(fact.timestamp).toISOString(),
      offset_ms: after,
      event_type: fact.event_type,
      source_agent: fact.source_agent,
      target_agent: fact.target_agent,
      cause,
      payload: fact.payload,
    })),
  };
}

interface Reading {
  readonly connection: Connection;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** First offset of each partition that may have something; null: all have. */
  readonly starts: ReadonlyMap<number, number> | null;
}

async function startsOf(
  connection: Connection,
  since: number | null,
): Promise<ReadonlyMap<number, number> | null> {
  if (since === null) return null;
  const admin = await connection.admin();
  const topic = connection.topics.coordination;
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, since - clocksMayDifferMs));
  return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
}

const onlyIt = (mission: string): Family => ({ above: new Set(), within: new Set([mission]) });

/** Looks through the whole ledger, or all of it since, for which mission began which; only that is decoded. */
async function readFamily({ connection, output, signal, starts }: Reading, mission: string): Promise<Family> {
  const codec = await connection.codec();
  const births: Birth[] = [];
  const progress = progressOf(output, 'records of the ledger');
  try {
    const from = starts === null ? {} : { from: starts };
    const what = { topic: connection.topics.coordination, until: 'end', signal, ...from } as const;
    await readDecoded(connection, what, ({ message: { value } }, decode) => {
      progress.one();
      if (value === null || codec.nameOf(value) !== 'MissionAccepted') return;
      const accepted = acceptedIn(decode);
      if (accepted !== null) births.push(birthOf(accepted));
    });
  } finally {
    progress.end();
  }
  return familyOf(mission, births);
}

/** What cannot be read began nothing: to find it is the business of `verify`. */
function acceptedIn(decode: () => DecodedRecord): EventOf<'mission_accepted'> | null {
  try {
    const { decoded } = decode();
    return decoded.name === 'MissionAccepted' ? decoded.value : null;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

async function readFacts(
  { connection, output, signal, starts }: Reading,
  { above, within }: Family,
): Promise<FactEvent[]> {
  const missions = new Set([...above, ...within]);
  const from = new Map<number, number>();
  for (const id of missions) {
    const { partition } = await placeOfMission(connection, id);
    from.set(partition, starts?.get(partition) ?? 0);
  }
  const facts: FactEvent[] = [];
  const progress = progressOf(output, 'facts');
  try {
    await readLedger(connection, {
      mission: null,
      missions,
      from,
      until: 'end',
      signal,
      each({ fact }) {
        progress.one();
        facts.push(fact);
      },
    });
  } finally {
    progress.end();
  }
  return facts;
}
