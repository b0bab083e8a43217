import { unaccounted } from '#orchestrator/budget.ts';
import type { Codec } from '#schemas/codec.ts';
import type { EventOf } from '#schemas/types.gen.ts';
import { noUsage } from '#schemas/usage.ts';

/**
 * What a dead letter says of its task when it is an assignment: nobody will begin it, so its attempt has failed, and the
 * mission need not wait for its deadline. Null: it is no assignment of that role, or none that can be read. Never throws.
 */
export function refusedAssignment(
  value: Buffer | null,
  codec: Codec,
  letter: {
    readonly id: string;
    readonly role: string;
    readonly code: string;
    readonly message: string;
    readonly now: number;
  },
): EventOf<'task_attempt_failed'> | null {
  if (value === null || !codec.knows(value)) return null;
  let found: ReturnType<Codec['decode']>;
  try {
    found = codec.decode(value);
  } catch {
    return null;
  }
  if (found.name !== 'TaskAssigned') return null;
  const { correlation_id, event_id, priority, payload } = found.value;
  const { task_id, role, attempt, lease, budget } = payload;
  // On the topic of another role it is a copy that somebody made: the task is not waiting for this one.
  if (role !== letter.role) return null;
  return {
    event_id: `dlq/${letter.id}/task_attempt_failed`,
    event_type: 'task_attempt_failed',
    source_agent: 'retrier',
    target_agent: 'orchestrator',
    timestamp: letter.now,
    version: 1,
    correlation_id,
    causation_id: event_id,
    priority,
    sequence: 0,
    previous_hash: '',
    payload: {
      ...{ task_id, attempt, lease, agent: 'retrier', code: 'assignment_refused' },
      message: `role ${role} could not take its assignment, dead letter ${letter.id} (${letter.code}): ${letter.message}`,
      ...{ steps: 0, journal_hash: '', retry_at: 0 },
      // Under its first lease nobody has begun it; what earlier leases used up nobody says.
      ...(lease > 1 ? unaccounted(budget) : { usage: noUsage, duration_ms: 0 }),
    },
  };
}
