import { Failure } from '#chassis/failures.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import { isFact } from '#orchestrator/facts.ts';
import { createVerifier, type Finding, type Summary } from '#orchestrator/verify.ts';
import type { StepEvent } from '#worker/journal.ts';
import { stepTypes } from '#worker/journal.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import {
  checkJournals,
  type JournalCheck,
  type JournalFinding,
  type JournalSummary,
} from '../journal-check.ts';
import { placeOfMission } from '../ledger.ts';
import { checkedMissionId } from '../mission-command.ts';
import type { Output } from '../output.ts';
import { progressOf } from '../progress.ts';
import { readDecoded } from '../read-decoded.ts';

export interface VerifyOptions {
  readonly all?: boolean;
}

interface Report {
  readonly findings: readonly Finding[];
  readonly journalFindings: readonly JournalFinding[];
  readonly ledger: Summary;
  readonly journals: JournalSummary;
}

/**
 * Reads the ledger from Kafka and nothing else: recomputes its hash chains and every decision, and then the hash of
 * every journal that it vouches for. Exits 1 and names the first offset that differs when anything does.
 */
export async function verify(
  io: Invocation,
  given: string | undefined,
  options: VerifyOptions,
): Promise<ExitCode> {
  const mission = given === undefined ? null : checkedMissionId(given);
  if ((mission === null) !== (options.all === true)) {
    throw new Failure('invalid_arguments', 'expected the id of a mission, or --all');
  }
  const report = await withConnection(io, async (connection) => {
    const first = await verifyLedger(io, connection, mission);
    // The end of a ledger that is being written may lie within a transaction: what was missing is there now.
    return onlyIncomplete(first) ? verifyLedger(io, connection, mission) : first;
  });
  if (mission !== null && report.ledger.missions === 0) {
    throw new Failure('not_found', `the ledger has no fact of mission ${mission}`);
  }
  return tell(io.output, report);
}

async function verifyLedger(io: Invocation, connection: Connection, mission: string | null): Promise<Report> {
  const { signal, output } = io;
  const codec = await connection.codec();
  const verifier = createVerifier(codec);
  const journals = checkJournals();
  const findings: Finding[] = [];
  const { topics } = connection;

  const heads = await readHeads(connection, mission, signal);
  for (const [id, head] of heads) verifier.expectHead(id, head);
  const facts = progressOf(output, 'facts');
  const place = mission === null ? null : await placeOfMission(connection, mission);
  const from = place === null ? {} : { from: new Map([[place.partition, 0]]) };
  const reading = { topic: topics.coordination, until: 'end', signal, ...from } as const;
  await readDecoded(connection, reading, ({ message, partition, offset }, decode) => {
    const key = message.key?.toString() ?? null;
    if (mission !== null && key !== mission) return;
    const finding = verifier.feed({ bytes: message.value ?? Buffer.alloc(0), partition, offset, key });
    facts.one();
    if (finding !== null) findings.push(finding);
    else noteJournal(journals, decode, { partition, offset });
  });
  facts.end();
  signal.throwIfAborted();

  const offsets = await readSteps(io, connection, mission, journals);
  signal.throwIfAborted();
  const ended = verifier.end();
  const checked = journals.end((key) => (offsets.get(partitionOf(key, offsets.size))?.low ?? 0) > 0);
  const all = [...findings, ...ended.findings].sort(
    (a, b) => a.partition - b.partition || a.offset - b.offset,
  );
  return {
    findings: all,
    journalFindings: checked.findings,
    ledger: ended.summary,
    journals: checked.summary,
  };
}

function onlyIncomplete({ findings, journalFindings }: Report): boolean {
  const incomplete = findings.filter(({ what }) => what === 'decision_incomplete' || what === 'head_differs');
  return findings.length > 0 && incomplete.length === findings.length && journalFindings.length === 0;
}

function noteJournal(
  journals: JournalCheck,
  decode: () => { readonly decoded: { readonly value: object } },
  place: { readonly partition: number; readonly offset: number },
): void {
  const { value } = decode().decoded;
  if ('event_type' in value && 'payload' in value && isFact(value as never))
    journals.fact(value as never, place);
}

/** Where each mission's ledger must end, at the least: what its newest `mission_status` says. */
async function readHeads(
  connection: Connection,
  mission: string | null,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, { sequence: number; hash: string }>> {
  const heads = new Map<string, { sequence: number; hash: string }>();
  const reading = { topic: connection.topics.status, until: 'end', signal } as const;
  await readDecoded(connection, reading, ({ message }, decode) => {
    const key = message.key?.toString() ?? '';
    if (message.value === null || (mission !== null && key !== mission)) return;
    const { name, value } = decode().decoded;
    if (name !== 'MissionStatus') return;
    heads.set(key, { sequence: value.payload.head_sequence, hash: value.payload.head_hash });
  });
  return heads;
}

async function readSteps(
  { signal, output }: Invocation,
  connection: Connection,
  mission: string | null,
  journals: JournalCheck,
): Promise<ReadonlyMap<number, { readonly low: number }>> {
  const topic = connection.topics.steps;
  const offsets = await connection.offsets(topic);
  const steps = progressOf(output, 'steps');
  await readDecoded(connection, { topic, until: 'end', signal }, ({ message }, decode) => {
    if (mission !== null && message.key?.toString().startsWith(`${mission}/`) !== true) return;
    steps.one();
    const step = stepIn(decode);
    if (step !== null) journals.step(step, message.value ?? Buffer.alloc(0));
  });
  steps.end();
  return offsets;
}

const isStepType = new Set<string>(stepTypes);

/** Garbage among the steps is none of the journals'; a step that it replaced is missed anyway. */
function stepIn(decode: () => { readonly decoded: { readonly value: object } }): StepEvent | null {
  try {
    const { value } = decode().decoded;
    return 'event_type' in value && isStepType.has(String(value.event_type)) ? (value as StepEvent) : null;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

/** `rules 0 (3 missions), rules 1 (12 missions)` */
export function rulesText({ rules }: Pick<Summary, 'rules'>): string {
  const versions = Object.entries(rules).map(
    ([version, missions]) => `rules ${version} (${missions} ${missions === 1 ? 'mission' : 'missions'})`,
  );
  return versions.length === 0 ? 'no rules: no mission was accepted' : versions.join(', ');
}

function tell(output: Output, report: Report): ExitCode {
  const { findings, journalFindings, ledger, journals } = report;
  const ok = findings.length === 0 && journalFindings.length === 0;
  if (output.json) {
    output.document({ ok, ...report }, true);
    return ok ? 0 : 1;
  }
  const { colors } = output;
  for (const { mission, partition, offset, sequence, what, expected, found } of findings) {
    output.line(
      `${colors.red(what)} at partition ${partition} offset ${offset}: mission ${mission} sequence ${sequence}`,
    );
    output.line(`  expected ${expected}`);
    output.line(`  found    ${found}`);
  }
  for (const { journal, what, partition, offset, hash, found } of journalFindings) {
    output.line(
      `${colors.red(what)}: journal of ${journal}, whose end is at partition ${partition} offset ${offset}`,
    );
    output.line(`  expected ${hash}`);
    output.line(`  found    ${found}`);
  }
  output.line(
    `${ledger.facts} facts of ${ledger.missions} missions (${ledger.ended} ended, ${ledger.running} running): ` +
      (findings.length === 0
        ? colors.green('every hash and every decision as recomputed')
        : colors.red('not as recomputed')),
  );
  output.line(`decided by ${rulesText(ledger)}`);
  if (ledger.reworded > 0) {
    output.line(
      `${ledger.reworded} facts hold texts for people that are worded otherwise now: their hashes count`,
    );
  }
  if (ledger.plans_as_written > 0) {
    output.line(
      `${ledger.plans_as_written} plans of rules 0 would be made otherwise now, and are taken as written`,
    );
  }
  const unchecked =
    journals.unchecked > 0 ? `, ${journals.unchecked} unchecked as retention deleted their steps` : '';
  output.line(
    `${journals.steps} steps, ${journals.checked} journals checked${unchecked}: ` +
      (journalFindings.length === 0
        ? colors.green('each gives the hash in the ledger')
        : colors.red('not as in the ledger')),
  );
  return ok ? 0 : 1;
}
