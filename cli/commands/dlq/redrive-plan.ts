import { decide } from '#retrier/decide.ts';
import type { Letter } from '#retrier/letter.ts';
import { upcast } from '#retrier/send-back.ts';
import { takesRecordsBack } from '#topics/table.ts';
import type { Connection } from '../../connection.ts';
import { contentOf, type LetterView } from '../../letters.ts';
import { missionHasEndedStatus, missionStatuses } from '../../mission-statuses.ts';
import { type Cell, table } from '../../table.ts';

/** What a redrive would do with one letter. */
export interface PlannedRedrive {
  readonly id: string;
  /** `sent`, `parked`, or the code of the refusal. */
  readonly would: string;
  readonly topic: string;
  readonly partition: number | null;
  readonly record: string | null;
  readonly upcast: boolean;
  /** What would be woken; empty where the bytes and the key do not tell. */
  readonly mission: string;
  readonly task: string;
  /** As the orchestrator said last; null: it knows no such mission (yet). */
  readonly mission_status: string | null;
  /** Whether the mission still runs, so that it is woken. */
  readonly wakes: boolean;
}

/** Changes nothing: the same decision that the retrier would make, and whom the records are for. */
export async function redrivePlan(
  connection: Connection,
  letters: readonly LetterView[],
  force: boolean,
  mostRedrives: number,
  signal: AbortSignal,
): Promise<PlannedRedrive[]> {
  const codec = await connection.codec();
  const statuses = await missionStatuses(connection, signal);
  const plan: PlannedRedrive[] = [];
  for (const letter of letters) {
    const content = await contentOf(codec, letter.bytes, signal);
    const decision = decide(asLetter(letter), letter.id, request(force), {
      ...{ mostRedrives, number: 1 },
      returns: (topic) => takesRecordsBack(connection.topics, topic),
    });
    const value = 'name' in content ? content.value : {};
    const mission = textIn(value, 'correlation_id') || letter.mission;
    const payload = 'payload' in value && typeof value.payload === 'object' ? value.payload : null;
    const mission_status = statuses.get(mission) ?? null;
    const would =
      decision.kind === 'refused' ? decision.code : decision.kind === 'queued' ? 'sent' : decision.kind;
    const begins = letter.topic === connection.topics.missions && mission_status === null;
    plan.push({
      ...{ id: letter.id, would, topic: letter.topic, partition: letter.topic_partition, mission },
      record: 'name' in content ? content.name : null,
      upcast: upcast(letter.bytes, codec).upcast,
      task: textIn(payload ?? {}, 'task_id') || letter.task,
      mission_status,
      wakes:
        would === 'sent' && (begins || (mission_status !== null && !missionHasEndedStatus(mission_status))),
    });
  }
  return plan;
}

const request = (force: boolean) => ({
  ...{ id: 'dry-run', action: 'redrive' as const, by: '', reason: '', rate: 0, force },
  ...{ original_hash: '', edited_hash: '' },
});

function asLetter(view: LetterView): Letter | undefined {
  if (view.state === 'new') return undefined;
  const { partition, offset, state, topic, mission, code, redrives, hash } = view;
  return {
    partition,
    offset,
    state,
    topic,
    mission,
    code,
    redrives,
    hash,
    recorded_at: 0,
    told: false,
    order: null,
  };
}

function textIn(value: object, field: string): string {
  const found = Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : '';
  return typeof found === 'string' ? found : '';
}

export function redriveLines(plan: readonly PlannedRedrive[], columns?: number): string[] {
  if (plan.length === 0) return ['No such dead letters.'];
  const rows = plan.map(
    ({ id, would, topic, partition, record, mission, task, mission_status, wakes }): Cell[] => [
      ...[id, would, `${topic}/${partition ?? '?'}`, record ?? 'unreadable'],
      task === '' ? mission : `${mission}/${task}`,
      `${mission_status ?? 'unknown'}${wakes ? ', is woken' : ''}`,
    ],
  );
  const sent = plan.filter(({ would }) => would === 'sent');
  const missions = new Set(plan.filter(({ wakes }) => wakes).map(({ mission }) => mission));
  return [
    ...table(['letter', 'would be', 'to', 'record', 'mission/task', 'mission'], rows, columns),
    `${sent.length} of ${plan.length} would be sent; ${missions.size} missions would be woken. Nothing is changed.`,
  ];
}
