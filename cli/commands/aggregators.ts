import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import { type Definitions, parseDefinitions } from '#missions/reactions-file.ts';
import { loadRoles } from '#roles/load.ts';
import type { EventPattern, StandingReaction } from '#schemas/types.gen.ts';
import { withConnection } from '../connection.ts';
import type { ExitCode } from '../exit-code.ts';
import { duration, oneLine } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { readStanding, writeStanding } from '../standing.ts';
import { table } from '../table.ts';

type Change = 'new' | 'changed' | 'same';

/** Makes what a file says hold for every mission. What it does not name stays. */
export async function apply(io: Invocation, file: string): Promise<ExitCode> {
  const { output, env, signal } = io;
  const roles = new Set(loadRoles(env['RAVENHELM_ROLES']).keys());
  const content = file === '-' ? await text(process.stdin) : read(file);
  const given = standing(parseDefinitions(content, file === '-' ? 'standard input' : file, { roles }), env);
  const changes = await withConnection(io, async (connection) => {
    const known = new Map((await readStanding(connection, signal)).all.map((each) => [each.name, each]));
    const compared = given.map((each) => [each, changeOf(known.get(each.name), each)] as const);
    // One that is changed holds for all that it held for before: what waits to be handled is not passed over.
    const news = compared.flatMap(([each, change]) => {
      const applied_at = known.get(each.name)?.applied_at ?? each.applied_at;
      return change === 'same' ? [] : [[each.name, { ...each, applied_at }] as const];
    });
    await writeStanding(connection, new Map(news));
    return compared.map(([each, change]) => ({ name: each.name, kind: kindOf(each), change }));
  });
  if (output.json) output.document(changes, true);
  else for (const { name, kind, change } of changes) output.line(`${change.padEnd(7)}  ${kind} ${name}`);
  return 0;
}

function changeOf(before: StandingReaction | undefined, after: StandingReaction): Change {
  if (before === undefined) return 'new';
  const same =
    isDeepStrictEqual(before.subscription, after.subscription) &&
    isDeepStrictEqual(before.aggregator, after.aggregator);
  return same ? 'same' : 'changed';
}

function standing({ subscriptions, aggregators }: Definitions, env: NodeJS.ProcessEnv): StandingReaction[] {
  const by = { applied_by: env['USER'] || userInfo().username, applied_at: Date.now() };
  return [
    ...subscriptions.map((each) => ({ name: each.name, subscription: each, aggregator: null, ...by })),
    ...aggregators.map((each) => ({ name: each.name, subscription: null, aggregator: each, ...by })),
  ];
}

const kindOf = ({ aggregator }: StandingReaction): string =>
  aggregator === null ? 'subscription' : 'aggregator';

/** What holds for every mission. */
export async function list(io: Invocation): Promise<ExitCode> {
  const { output, signal } = io;
  const all = await withConnection(io, async (connection) => (await readStanding(connection, signal)).all);
  const inOrder = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (output.json) {
    output.document(inOrder, true);
    return 0;
  }
  if (inOrder.length === 0) output.line('Nothing stands for every mission.');
  const rows = inOrder.map((each) => [each.name, kindOf(each), ...said(each), each.applied_by]);
  const headings = ['name', 'kind', 'events', 'what follows', 'applied by'];
  if (rows.length > 0) for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

function said({ subscription, aggregator }: StandingReaction): [string, string] {
  if (subscription !== null) return [patternText(subscription.on), actionText(subscription.reaction)];
  if (aggregator === null) return ['', ''];
  const within = aggregator.timeout_ms > 0 ? ` within ${duration(aggregator.timeout_ms)}` : '';
  const ends = [aggregator.on_complete, aggregator.on_timeout].map((end) =>
    end ? actionText(end) : 'nothing',
  );
  const [complete, timeout] = ends;
  const late = aggregator.timeout_ms > 0 ? `, else ${timeout}` : '';
  return [oneLine(aggregator.events.map(({ name }) => name).join(', ')) + within, `${complete}${late}`];
}

const patternText = ({ name, type, source, topic, severity }: EventPattern): string =>
  oneLine(
    [name || type || '*', source && `from ${source}`, topic && `on ${topic}`, severity]
      .filter(Boolean)
      .join(' '),
  );

function actionText({
  action,
  task,
  emit,
}: NonNullable<StandingReaction['subscription']>['reaction']): string {
  if (emit !== null) return `emits ${oneLine(emit.name)}`;
  if (action === 'task') return `a task${task?.role ? ` for ${oneLine(task.role)}` : ''}`;
  return 'a pause';
}

/** Takes a definition away. Exits 2 when there is none of that name. */
export async function remove(io: Invocation, name: string): Promise<ExitCode> {
  const { output, signal } = io;
  const found = await withConnection(io, async (connection) => {
    const known = (await readStanding(connection, signal)).all.find((each) => each.name === name);
    if (known !== undefined) await writeStanding(connection, new Map([[name, null]]));
    return known;
  });
  if (found === undefined) {
    output.fail(
      new Failure('not_found', `nothing of the name ${JSON.stringify(name)} stands for every mission`),
    );
    return 2;
  }
  if (output.json) output.document({ name, kind: kindOf(found), change: 'removed' });
  else output.line(`removed  ${kindOf(found)} ${name}`);
  return 0;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure('invalid_mission', `${file} cannot be read: ${why}`, { cause });
  }
}
