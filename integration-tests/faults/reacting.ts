import { noOptions } from '#schemas/mission-command.ts';
import type { Condition, EventPattern, Reaction, Script } from '#schemas/types.gen.ts';
import { quick } from './draft.ts';
import type { Shape } from './shapes.ts';

const pattern = (type: string, where: readonly Condition[] = [], name = ''): EventPattern => ({
  name,
  type,
  source: '',
  target: '',
  severity: '',
  topic: '',
  where,
});

const runs = (id: string, role: string, script: Script): Reaction => ({
  action: 'task',
  emit: null,
  reason: '',
  task: {
    id,
    role,
    routes: [],
    description: id,
    script,
    timeout_ms: 0,
    max_attempts: 0,
    priority: '',
    model: '',
  },
});

const completed = (task: string): EventPattern =>
  pattern('task_completed', [{ path: 'payload.task_id', op: 'eq', value: JSON.stringify(task) }], task);

/** No plan: two tasks react to an event, one to the end of one of them, and a join waits for both. */
export const reactions: Shape = (draft, random) => {
  const left = draft.expect('left', [quick(random)]);
  const right = draft.expect('right', [quick(random), quick(random)]);
  const after = draft.expect('after', [quick(random)]);
  const both = draft.expect('both', [quick(random)]);
  const on = (name: string, role: string, event: EventPattern, reaction: Reaction) => ({
    name,
    role,
    on: event,
    reaction,
    most: 0,
  });
  return {
    options: {
      ...noOptions,
      planner: 'none',
      events: [{ name: 'Begun', topic: 'campaign.begun', severity: '', data: '{}' }],
      subscriptions: [
        on('go-left', 'builder', pattern('Begun'), runs('left', 'builder', left)),
        on('go-right', 'checker', pattern('Begun'), runs('right', 'checker', right)),
        on('go-on', 'builder', completed('left'), runs('after', 'builder', after)),
      ],
      aggregators: [
        {
          name: 'join',
          events: [completed('left'), completed('right')],
          timeout_ms: 600_000,
          on_complete: runs('both', 'checker', both),
          on_timeout: null,
        },
      ],
    },
  };
};
