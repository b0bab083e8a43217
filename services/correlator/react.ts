import { v5 as uuidFrom } from 'uuid';
import { missionCommand } from '#schemas/mission-command.ts';
import { taskSpec } from '#schemas/task-spec.ts';
import type { MissionCommand, Priority, Reaction, TaskSpec, TaskTemplate } from '#schemas/types.gen.ts';
import { contextOf, type EventView } from './event-view.ts';
import { hopLimit, reactionId } from './hops.ts';
import { conditionText, holds } from './pattern.ts';
import { filledJson, identifier, instruction } from './template.ts';
import { correlator, type Turn } from './turn.ts';

/** Reactions to one mission. A hop limit alone would let two subscriptions that answer each other twice fill a disk. */
export const mostReactions = 1000;
/** Bytes of the data of an emitted event. */
const mostData = 16 * 1024;
/** Namespace of the ids of missions that standing subscriptions begin. */
const idNamespace = '0d5b3e0c-6d0f-5c52-8e2b-5a3c2f6f9d41';

/** What reacts. */
export interface Reactor {
  readonly name: string;
  /** The role of a task that names none, and who emits; empty: the correlator. */
  readonly role: string;
  readonly reaction: Reaction;
  /** For every mission: its tasks are missions of their own, as the mission that they react to may be over. */
  readonly standing: boolean;
}

/** Makes what a reactor makes of this fact, or says why not. */
export function react(turn: Turn, view: EventView, reactor: Reactor): void {
  const hops = turn.hops + 1;
  const limit = hopLimit(turn.state);
  // That the limit was reached has been said.
  if (turn.hops > limit) return;
  if (hops > limit) {
    refuse(turn, reactor, 'hop_limit', `${limit} reactions, one after another, led here: it does not react`);
    return;
  }
  if (turn.state.reactions >= mostReactions) {
    if (turn.state.reactions > mostReactions) return;
    turn.count(reactor.name);
    refuse(
      turn,
      reactor,
      'reaction_limit',
      `the mission has led to ${mostReactions} reactions, and gets no more`,
    );
    return;
  }
  turn.count(reactor.name);
  const { task, emit, action } = reactor.reaction;
  if (action === 'task' && task !== null) request(turn, view, reactor, task);
  else if (action === 'emit' && emit !== null) say(turn, view, reactor);
  else pause(turn, view, reactor);
}

function refuse(turn: Turn, { name }: Reactor, code: string, why: string): void {
  const { event_id } = turn.fact;
  turn.report(
    'error_raised',
    // Beyond the limit, so that nothing reacts to it.
    reactionId(event_id, name, hopLimit(turn.state) + 1),
    {
      task_id: '',
      code,
      message: `${name}: ${why}`,
      where: correlator,
      severity: 'error',
      subscription: name,
      trigger: event_id,
    },
    { target: 'person' },
  );
}

function request(turn: Turn, view: EventView, reactor: Reactor, template: TaskTemplate): void {
  const { name, standing, reaction } = reactor;
  const { role, because } = routed(template, view);
  const task = taskOf(turn, view, reactor, { ...template, role: role || template.role || reactor.role });
  if (task.role === '') return refuse(turn, reactor, 'role_unknown', 'no route fits, and it names no role');
  if (standing) turn.missions.push(missionOf(turn, name, task));
  else {
    turn.report(
      'task_requested',
      reactionId(turn.fact.event_id, name, task.hops),
      {
        task,
        subscription: name,
        trigger: turn.fact.event_id,
        reason: because || instruction(reaction.reason, view),
      },
      { target: task.role },
    );
  }
}

/** The first route that fits; `because` is told to people. */
function routed(
  { routes }: TaskTemplate,
  view: EventView,
): { readonly role: string; readonly because: string } {
  const route = routes.find(({ when }) => when.every((condition) => holds(condition, view)));
  if (route === undefined) return { role: '', because: routes.length > 0 ? 'no route fits' : '' };
  const why = route.when.map(conditionText).join(' and ') || 'always';
  return { role: route.role, because: `role ${route.role}: ${why}` };
}

function taskOf(turn: Turn, view: EventView, { name }: Reactor, template: TaskTemplate): TaskSpec {
  const { role, script, timeout_ms, max_attempts, priority, model } = template;
  const { event_id, sequence } = turn.fact;
  return taskSpec({
    id: identifier(template.id, view) || identifier(`${name}-${sequence}`, view),
    role,
    description: instruction(template.description, view),
    script,
    timeout_ms,
    max_attempts,
    priority,
    model,
    context: contextOf(view),
    hops: turn.hops + 1,
    caused_by: event_id,
  });
}

function missionOf({ fact }: Turn, name: string, task: TaskSpec): MissionCommand {
  const { event_id, priority, timestamp } = fact;
  return missionCommand({
    event_id: reactionId(event_id, name, task.hops),
    source_agent: correlator,
    correlation_id: uuidFrom(`${name}/${event_id}`, idNamespace),
    causation_id: event_id,
    timestamp,
    priority: isPriority(task.priority) ? task.priority : priority,
    name: `${name}: ${task.id}`,
    tasks: [task],
  });
}

const isPriority = (text: string): text is Priority => text === 'high' || text === 'normal' || text === 'low';

function say(turn: Turn, view: EventView, reactor: Reactor): void {
  const { name, role, reaction } = reactor;
  if (reaction.emit === null) return;
  const data = filledJson(reaction.emit.data, view);
  const length = Buffer.byteLength(data);
  if (length > mostData) {
    const found = `found ${length} bytes of data, expected at most ${mostData}`;
    return refuse(turn, reactor, 'invalid_payload', found);
  }
  const nobody = { task_id: '', attempt: 0, lease: 0, agent: '', step: 0 };
  const hops = turn.hops + 1;
  const trigger = turn.fact.event_id;
  turn.report(
    'event_emitted',
    reactionId(trigger, name, hops),
    { ...reaction.emit, data, ...nobody, subscription: name, trigger, hops },
    { source: role || correlator, target: 'squad' },
  );
}

function pause(turn: Turn, view: EventView, { name, reaction }: Reactor): void {
  const trigger = turn.fact.event_id;
  const reason = instruction(reaction.reason, view);
  const id = reactionId(trigger, name, turn.hops + 1);
  turn.report('pause_requested', id, { subscription: name, trigger, reason }, { target: 'person' });
}
