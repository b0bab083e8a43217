import { userInfo } from 'node:os';
import { Failure } from '#chassis/failures.ts';
import { decisions } from '#orchestrator/reviews.ts';
import { type Connection, withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { dateTime, oneLine } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { placeOfMission, readLedger } from '../ledger.ts';
import { checkedMissionId, newCommand, sendCommand } from '../mission-command.ts';
import { planTable } from '../plan-view.ts';
import { askProjection } from '../projection.ts';
import { onlyOne, type ReviewFact, ReviewLedger } from '../review-ledger.ts';
import { exactJson, question } from '../review-text.ts';
import { spentLines } from '../spent-lines.ts';

export interface ApproveOptions {
  readonly comment?: string;
  readonly happened?: boolean;
  readonly cheaper?: boolean;
}
export interface RejectOptions {
  readonly comment?: string;
}

type Decision = 'approved' | 'happened' | 'cheaper' | 'rejected';

/** How long the orchestrator may take to write the answer down. */
const answeredWithinMs = 20_000;
/** As much as goes with the attempt. */
const mostComment = 2_000;

export async function approve(io: Invocation, given: string, options: ApproveOptions): Promise<ExitCode> {
  const { comment = '', happened = false, cheaper = false } = options;
  if (happened && cheaper) {
    throw new Failure('invalid_arguments', '--happened: found --cheaper, too, expected one of the two');
  }
  return decide(io, given, happened ? 'happened' : cheaper ? 'cheaper' : 'approved', comment);
}

export async function reject(
  io: Invocation,
  given: string,
  { comment = '' }: RejectOptions,
): Promise<ExitCode> {
  return decide(io, given, 'rejected', comment);
}

/**
 * Answers a review. What is decided on is what the ledger says, never what a table does; the answer is bound to it by
 * its hash. Exits 0 when the answer is on the ledger. Throws Failures `review_unknown`, `review_expired`,
 * `review_differs`, `deadline_exceeded`, and `invalid_arguments` for what can be meant in more than one way.
 */
async function decide(io: Invocation, given: string, decision: Decision, comment: string): Promise<ExitCode> {
  if (comment.length > mostComment) {
    const found = `found ${comment.length} characters, expected at most ${mostComment}`;
    throw new Failure('invalid_arguments', `--comment: ${found}`);
  }
  const mission = await missionOf(io, given);
  return withConnection(io, async (connection): Promise<ExitCode> => {
    // The place first, so that the answer cannot come before we listen.
    const { partition, next } = await placeOfMission(connection, mission);
    const ledger = new ReviewLedger();
    await read(io.signal, connection, mission, { partition, offset: 0 }, 'end', ledger);
    io.signal.throwIfAborted();
    const review = ledger.find(given);
    const refusal = ledger.refusal(review, Date.now());
    if (refusal !== null) throw refusal;
    checkDecision(review, decision);
    if (!io.output.json) for (const line of exactLines(review, ledger)) io.output.line(line);

    const { review_id, arguments_hash } = review.payload;
    const source_agent = `person:${userName()}`;
    const command = newCommand(
      mission,
      { event_type: 'review_completed', source_agent, review_id, decision, arguments_hash, comment },
      Date.now(),
    );
    await sendCommand(connection, command);
    const written = await answerTo(
      io,
      connection,
      { mission, partition, next },
      ledger,
      review,
      command.event_id,
    );
    if (io.output.json) {
      io.output.document({ ...written.payload, mission_id: mission, sequence: written.sequence }, true);
    } else
      io.output.line(`${io.output.colors.green('✔')} ${review_id}: ${decision}, as fact ${written.sequence}`);
    return 0;
  });
}

/** An id begins with that of its mission; what is shorter is looked up among what waits. */
async function missionOf(io: Invocation, given: string): Promise<string> {
  const slash = given.indexOf('/');
  if (slash > 0) return checkedMissionId(given.slice(0, slash));
  if (given === '') throw new Failure('invalid_arguments', 'the review: found nothing, expected its id');
  const waiting = await askProjection(io, (queries) => queries.listReviews({ prefix: given, limit: 50 }));
  return onlyOne(given, waiting, ({ review_id }) => review_id).mission_id;
}

function checkDecision({ payload: { kind, review_id } }: ReviewFact, decision: Decision): void {
  const allowed = decisions[kind] ?? [];
  if (allowed.includes(decision)) return;
  const said: Readonly<Record<string, string>> = { happened: '--happened: ', cheaper: '--cheaper: ' };
  const found = `found a review of kind ${kind} (${review_id})`;
  const expected = `expected one that takes ${decision}: ${kind} takes ${allowed.join(', ')}`;
  throw new Failure('invalid_arguments', `${said[decision] ?? ''}${found}, ${expected}`);
}

/** All of what is decided on, as the ledger has it. */
function exactLines({ payload }: ReviewFact, { fold: { state } }: ReviewLedger): string[] {
  const { kind, task_id, tool, reason, arguments_hash, expires_at, attempt } = payload;
  const field = (name: string, value: string) => (value === '' ? [] : [`  ${name.padEnd(9)} ${value}`]);
  return [
    question(payload),
    ...field('kind', kind),
    ...field('task', task_id === '' ? '' : `${task_id}, attempt ${attempt}`),
    ...field('tool', oneLine(tool, 64)),
    ...field('arguments', exactJson(payload.arguments)),
    ...field('hash', arguments_hash),
    ...field('reason', oneLine(reason, 1_000)),
    ...field('until', dateTime(expires_at)),
    ...(kind === 'plan' ? planTable(state?.plan?.tasks ?? []) : []),
    ...(kind === 'budget' && state !== null ? spentLines(state).map((line) => `  ${line}`) : []),
  ];
}

/** Waits for what the orchestrator makes of the answer: a fact, or another one that closes the review. */
async function answerTo(
  { signal }: Invocation,
  connection: Connection,
  place: { readonly mission: string; readonly partition: number; readonly next: number },
  ledger: ReviewLedger,
  review: ReviewFact,
  causation_id: string,
): Promise<NonNullable<ReturnType<ReviewLedger['answer']>>> {
  const { review_id, arguments_hash } = review.payload;
  const late = AbortSignal.timeout(answeredWithinMs);
  const from = { partition: place.partition, offset: place.next };
  await read(AbortSignal.any([signal, late]), connection, place.mission, from, 'follow', ledger, () =>
    ledger.waits(review_id),
  );
  signal.throwIfAborted();
  const written = ledger.answer(review_id);
  if (written?.causation_id === causation_id) return written;
  const asked = ledger.question(review_id);
  if (asked !== null && asked.payload.arguments_hash !== arguments_hash) {
    const now = `it asks about other arguments now (${asked.payload.arguments_hash})`;
    throw new Failure('review_differs', `review ${review_id}: ${now}; nothing is decided on them`);
  }
  const refusal = ledger.refusal(review, Date.now());
  if (refusal !== null) throw refusal;
  const message = `review ${review_id}: no answer from the orchestrator in ${answeredWithinMs / 1000} s`;
  throw new Failure('deadline_exceeded', `${message}; \`ravenhelm reviews\` tells whether it still waits`);
}

async function read(
  signal: AbortSignal,
  connection: Connection,
  mission: string,
  from: { readonly partition: number; readonly offset: number },
  until: 'end' | 'follow',
  ledger: ReviewLedger,
  goOn: () => boolean = () => true,
): Promise<void> {
  await readLedger(connection, {
    mission,
    from: new Map([[from.partition, from.offset]]),
    until,
    signal,
    each({ fact }) {
      ledger.add(fact);
      return goOn();
    },
  });
}

/** As the operating system knows them; a process without an entry has only its number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
