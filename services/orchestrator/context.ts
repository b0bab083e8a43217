import type { NamedText, PayloadOf, TaskSpec } from '#schemas/types.gen.ts';
import { cut } from './cut.ts';
import type { MissionState, TaskState } from './state.ts';

/**
 * What an agent is told besides its task and the results it needs: what came with the task, what other agents share,
 * and what an earlier attempt has left. It is data, and the worker quotes it as such; the headings say what is what.
 * All of it has limits (bytes of UTF-8), as a state has to fit into a record, and an assignment too.
 */

/** Of what comes with a task: the event it reacts to, and what roles handed over. */
export const mostGiven = 16 * 1024;
/** Of what one role hands over. */
const mostHandedOver = 8 * 1024;
/** Of names of scopes, dependencies and checkpoints. */
const mostName = 128;
/** Texts that a mission keeps under a name: the newest of each name, and of too many the oldest goes. */
const shared = { count: 16, each: 2 * 1024 };
const provided = { count: 64, each: 4 * 1024 };
/** Checkpoints of all tasks of a mission. */
const checkpoints = { each: 8 * 1024, together: 128 * 1024 };

export const nameOf = (text: string): string => cut(text.replace(/\s+/g, ' ').trim(), mostName);

type Kept = { readonly count: number; readonly each: number };

function keep(texts: readonly NamedText[], name: string, text: string, { count, each }: Kept): NamedText[] {
  const named = nameOf(name);
  const others = texts.filter((other) => other.name !== named);
  return [...others, { name: named, text: cut(text, each) }].slice(-count);
}

/** What a mission shares when this is shared, too. */
export const withShared = (texts: readonly NamedText[], scope: string, content: string): NamedText[] =>
  keep(texts, scope, content, shared);

/** What has been provided when this is, too. */
export const withProvided = (texts: readonly NamedText[], dependency: string, value: string): NamedText[] =>
  keep(texts, dependency, value, provided);

/** What the task at this position keeps of a checkpoint, with the attempt that it is of. */
export function checkpointOf(
  tasks: readonly TaskState[],
  position: number,
  { attempt, name, content }: PayloadOf<'checkpoint_created'>,
): string {
  const bytes = (text: string) => Buffer.byteLength(text);
  const others = tasks.reduce((sum, task, at) => sum + (at === position ? 0 : bytes(task.checkpoint)), 0);
  const room = Math.max(0, Math.min(checkpoints.each, checkpoints.together - others));
  return cut(`attempt ${attempt}: ${nameOf(name)}\n${content}`, room);
}

/** The context of a task that is handed over, of at most `room` bytes: what it had goes before what is new. */
export function handedOver(
  { context, role }: Pick<TaskSpec, 'context' | 'role'>,
  { reason, context: added }: Pick<PayloadOf<'agent_handoff'>, 'reason' | 'context'>,
  room: number,
): string {
  const why = reason === '' ? '' : ` (${nameOf(reason)})`;
  const most = Math.max(0, Math.min(mostGiven, room));
  const latest = cut(`Handed over by ${role}${why}:\n${added}`, Math.min(most, mostHandedOver));
  if (context === '') return latest;
  const before = cut(context, Math.max(0, most - Buffer.byteLength(latest) - 2));
  return before === '' ? latest : `${before}\n\n${latest}`;
}

const section = (title: string, text: string): string => `## ${title}\n${text}`;

/** The context of an assignment of attempt number `attempt`, of at most `room()` bytes; empty: there is none. */
export function contextFor(
  { plan, tasks, shared: texts }: MissionState,
  position: number,
  attempt: number,
  room: () => number,
): string {
  const given = plan?.tasks[position]?.context ?? '';
  const checkpoint = tasks[position]?.checkpoint ?? '';
  const sections = [
    ...(given === '' ? [] : [section('Given with the task', cut(given, mostGiven))]),
    ...texts.map(({ name, text }) => section(`Shared: ${name}`, text)),
    // The attempt that has made it has it in its journal.
    ...(checkpoint === '' || checkpoint.startsWith(`attempt ${attempt}:`)
      ? []
      : [section(`Checkpoint of ${checkpoint.slice(0, checkpoint.indexOf('\n'))}`, afterLine(checkpoint))]),
  ];
  return sections.length === 0 ? '' : cut(sections.join('\n\n'), Math.max(0, room()));
}

const afterLine = (text: string): string => text.slice(text.indexOf('\n') + 1);
