import { byRole, nobody, type RoleAgents } from '#chassis/agents.ts';
import { asFailure, Failure } from '#chassis/failures.ts';
import { loadRoles, type Role } from '#roles/load.ts';
import type { PolicyRule } from '#roles/policy-front-matter.ts';
import type { RoleRetry } from '#roles/retries-front-matter.ts';
import type { Durations, RoleStatisticsPayload } from '#schemas/types.gen.ts';
import type { ExitCode } from '../exit-code.ts';
import { duration } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { dollars } from '../money.ts';
import { readSquad, type Squad } from '../squad.ts';
import { type Cell, table } from '../table.ts';

/** The roles that there are; where the services run, also who runs them, and what has become of their tasks. */
export async function list(io: Invocation): Promise<ExitCode> {
  const { output, env } = io;
  const roles = [...loadRoles(env['RAVENHELM_ROLES']).values()];
  const squad = await squadIfThere(io);
  const pools = byRole(squad?.agents ?? []);
  const statisticsOf = (name: string) => squad?.statistics.get(name) ?? null;
  if (output.json) {
    const known = roles.map((role) => {
      const { alive, running, capacity } = pools.get(role.name) ?? nobody;
      const agents = squad === null ? null : { alive, running, capacity };
      return { ...withoutPrompt(role), agents, statistics: statisticsOf(role.name) };
    });
    output.document(known, true);
    return 0;
  }
  const plain = ({ name, model, tools, limits }: Role): Cell[] => [
    name,
    modelOf(model),
    limits.concurrency,
    limits.timeout_ms === null ? '' : duration(limits.timeout_ms),
    tools.length,
  ];
  const headings = ['role', 'model', 'at once', 'timeout', 'tools'];
  const rows = roles.map((role) => [
    ...plain(role),
    ...(squad === null ? [] : poolCells(pools.get(role.name) ?? nobody, statisticsOf(role.name))),
    role.description,
  ]);
  const all = [...headings, ...(squad === null ? [] : poolHeadings), 'what it is for'];
  for (const line of table(all, rows, output.screen.columns)) output.line(line);
  return 0;
}

/** Null where nothing runs: the roles are files, and are there without. */
async function squadIfThere(io: Invocation): Promise<Squad | null> {
  try {
    return await readSquad(io);
  } catch (error) {
    const { code, message } = asFailure(error);
    if (code === 'internal_error') throw error;
    if (code !== 'services_not_running') io.output.note(`What the roles are doing is not known: ${message}`);
    return null;
  }
}

const poolHeadings = ['agents', 'busy', 'waiting', 'done', 'failed', 'success', 'time', 'queue', 'cost'];

function poolCells({ alive, running, capacity }: RoleAgents, of: RoleStatisticsPayload | null): Cell[] {
  const agents = [alive, capacity === 0 ? '' : `${running} of ${capacity}`];
  if (of === null) return [...agents, ...Array.from({ length: poolHeadings.length - 2 }, () => '')];
  const { pending, assigned, waiting, parked, completed, failed, work, queue, cost_nanos, unpriced } = of;
  const ended = completed + failed;
  return [
    ...agents,
    pending + assigned + waiting + parked,
    completed,
    failed,
    ended === 0 ? '' : `${Math.round((100 * completed) / ended)} %`,
    mean(work),
    mean(queue),
    cost_nanos === 0 && unpriced === 0 ? '' : `${unpriced > 0 ? '≥ ' : ''}${dollars(cost_nanos)}`,
  ];
}

const mean = ({ count, total_ms }: Durations): string => (count === 0 ? '' : duration(total_ms / count));

export async function show({ output, env }: Invocation, name: string): Promise<ExitCode> {
  const roles = loadRoles(env['RAVENHELM_ROLES']);
  const role = roles.get(name);
  if (role === undefined) {
    const known = [...roles.keys()].join(', ');
    throw new Failure('role_unknown', `found no role ${JSON.stringify(name)}, expected one of ${known}`);
  }
  if (output.json) {
    output.document(role, true);
    return 0;
  }
  const { bold, dim } = output.colors;
  output.line(`${bold(role.name)}  ${role.description}`);
  output.line(`${dim('model  ')} ${modelOf(role.model)}`);
  output.line(`${dim('tools  ')} ${role.tools.join(', ')}`);
  for (const [number, rule] of role.policy.entries()) {
    output.line(`${dim(number === 0 ? 'policy ' : '       ')} ${number + 1}. ${ruleOf(rule)}`);
  }
  for (const server of role.mcp) {
    const where = server.kind === 'stdio' ? server.command.join(' ') : server.url;
    output.line(`${dim('mcp    ')} ${server.name}: ${server.tools?.join(', ') ?? 'all tools'} of ${where}`);
  }
  const { max_steps, timeout_ms, concurrency } = role.limits;
  const timeout = timeout_ms === null ? '' : `, ${duration(timeout_ms)}`;
  output.line(`${dim('limits ')} ${max_steps} calls${timeout}, ${concurrency} tasks at once`);
  for (const [number, rule] of role.retries.entries()) {
    output.line(`${dim(number === 0 ? 'retries' : '       ')} ${retryLine(rule)}`);
  }
  output.line(`${dim('version')} ${role.prompt_version}`);
  output.line();
  output.line(role.prompt);
  return 0;
}

/** `timeout: 5 attempts, the second after 5 s, at most 1 min apart` */
function retryLine({ code, max_attempts, initial_ms, max_ms }: RoleRetry): string {
  const parts = [
    ...(max_attempts === 0 ? [] : [max_attempts === 1 ? 'never again' : `${max_attempts} attempts`]),
    ...(initial_ms === 0 ? [] : [`the second after ${duration(initial_ms)}`]),
    ...(max_ms === 0 ? [] : [`at most ${duration(max_ms)} apart`]),
  ];
  return `${code === '' ? 'all others' : code}: ${parts.length === 0 ? 'tried again' : parts.join(', ')}`;
}

/** `ask execute_terminal_command where argv is ["git","push","**"], within 1 h: because` */
function ruleOf({ tool, when, then, reason, expires_ms }: PolicyRule): string {
  const conditions = Object.entries(when ?? {}).map(
    ([path, pattern]) => `${path} is ${JSON.stringify(pattern)}`,
  );
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  const within = expires_ms === null ? '' : `, within ${duration(expires_ms)}`;
  return `${then} ${tool}${where}${within}${reason === undefined ? '' : `: ${reason}`}`;
}

const withoutPrompt = ({ prompt: _prompt, ...role }: Role) => role;

const modelOf = (model: Role['model']): string =>
  model === null ? 'none: scripts only' : `${model.provider}/${model.name}`;
