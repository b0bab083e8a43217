import { Failure } from '#chassis/failures.ts';
import { decompose } from '#orchestrator/decompose.ts';
import { type DraftTask, roomOfPlan } from '#orchestrator/draft-task.ts';
import type { PayloadOf } from '#schemas/types.gen.ts';

/** The answer to a planning task that asks no model. It makes no call, costs nothing, and has no effect to be journaled. */

/** Bytes: a record has 256 KiB at the most, and its envelope needs room, too. */
const mostBytes = 200_000;

type Asked = Pick<PayloadOf<'task_assigned'>, 'description' | 'roles' | 'agents'>;

/** The plan as JSON. Throws Failure `role_unknown` where no role is left to do the work, `invalid_output` for no room. */
export function heuristicAnswer(asked: Asked): string {
  // JSON writes some letters as two, or six.
  for (let room = roomOfPlan; room > 1_000; room = Math.floor(room / 2)) {
    const answer = answerWithin(asked, room);
    if (Buffer.byteLength(answer) <= mostBytes) return answer;
  }
  throw new Failure('invalid_output', `no plan of the brief has room in ${mostBytes} bytes of JSON`);
}

function answerWithin({ description: brief, roles, agents }: Asked, room: number): string {
  const about = { roles: roles.map((name) => ({ name })), room, ...(agents > 0 ? { agents } : {}) };
  const { strategy, tasks, notes } = decompose(brief, about);
  const said = `planned without a model (${strategy}); what carries the tasks out needs a model of its role or a script`;
  return JSON.stringify({ tasks: tasks.map(answered), notes: [said, ...notes] });
}

const answered = ({ id, role, description, needs, compensation }: DraftTask) => ({
  ...{ id, role, description, needs },
  ...(compensation ? { compensation: { description: compensation.description } } : {}),
});
