import type { Review } from '#projector/review-queries.ts';
import type { ExitCode } from '../exit-code.ts';
import { dateTime, duration, oneLine } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { checkedMissionId } from '../mission-command.ts';
import type { Colors } from '../output.ts';
import { askProjection } from '../projection.ts';
import { answers, boundedJson, question } from '../review-text.ts';

export interface ReviewsOptions {
  readonly mission?: string;
  readonly all?: boolean;
}

/** What waits for a person, and with `all` what was answered: from PostgreSQL, so a moment behind the ledger. */
export async function reviews(io: Invocation, { mission, all = false }: ReviewsOptions): Promise<ExitCode> {
  const { output } = io;
  const filter = { all, ...(mission === undefined ? {} : { mission: checkedMissionId(mission) }) };
  const found = await askProjection(io, (queries) => queries.listReviews(filter));
  if (output.json) output.document(found, true);
  else if (found.length === 0) output.line(all ? 'No reviews.' : 'Nothing waits for a person.');
  else {
    const now = Date.now();
    output.line(
      found
        .flatMap((review) => ['', ...reviewLines(review, now, output.colors)])
        .slice(1)
        .join('\n'),
    );
  }
  return 0;
}

const mostArguments = 1_000;

/** A review as a person reads it; where it waits, with what to type. */
export function reviewLines(review: Review, now: number, colors: Colors): string[] {
  const { review_id, mission_id, mission_name, mission_brief, kind, task_id, tool, reason, status } = review;
  const { requested_at, expires_at, completed_at, reviewer, comment } = review;
  const shown = { review_id, kind: kind ?? '', task_id: task_id ?? '', tool: tool ?? '' };
  const waits =
    status === 'waiting' && /^(planning|running|compensating|suspended)$/.test(review.mission_status);
  const field = (name: string, value: string) =>
    value === '' ? [] : [`  ${colors.dim(name.padEnd(9))} ${value}`];
  const since = requested_at === null ? '' : ` for ${duration(Math.max(0, now - requested_at.getTime()))}`;
  const state = waits ? `waits${since}` : status === 'waiting' ? 'waits no more' : status;
  const args = review.arguments ?? '';
  return [
    `${waits ? colors.yellow('?') : colors.dim('·')} ${colors.bold(review_id)}  ${state}`,
    ...field('kind', `${shown.kind}: ${question(shown)}`),
    ...field(
      'mission',
      `${oneLine(mission_name || mission_brief, 60)} (${mission_id}, ${review.mission_status})`,
    ),
    ...field('task', shown.task_id),
    ...field('tool', oneLine(shown.tool, 64)),
    ...field('arguments', boundedJson(args, mostArguments)),
    ...field('reason', oneLine(reason ?? '', 400)),
    ...field('since', dateTime(requested_at?.getTime() ?? null)),
    ...field('until', expires_at === null ? '' : dateTime(expires_at.getTime())),
    ...(completed_at === null || waits
      ? []
      : field('answered', `${dateTime(completed_at.getTime())} ${answeredBy(reviewer, comment)}`.trim())),
    ...(waits ? answers(shown).map(([command, does]) => `    ${command}   ${colors.dim(does)}`) : []),
  ];
}

function answeredBy(reviewer: string | null, comment: string | null): string {
  const by = reviewer === null || reviewer === '' ? '' : `by ${oneLine(reviewer, 80)}`;
  return comment === null || comment === '' ? by : `${by}: ${oneLine(comment, 300)}`;
}
