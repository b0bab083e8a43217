import { Failure } from '#chassis/failures.ts';
import { loadRoles, type Role } from '#roles/load.ts';
import type { PolicyRule } from '#roles/policy-front-matter.ts';
import type { ExitCode } from '../exit-code.ts';
import { duration } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { table } from '../table.ts';

export async function list({ output, env }: Invocation): Promise<ExitCode> {
  const roles = [...loadRoles(env['RAVENHELM_ROLES']).values()];
  if (output.json) {
    output.document(roles.map(withoutPrompt), true);
    return 0;
  }
  const rows = roles.map(({ name, model, tools, limits, description }) => [
    name,
    modelOf(model),
    limits.concurrency,
    limits.timeout_ms === null ? '' : duration(limits.timeout_ms),
    tools.length,
    description,
  ]);
  const headings = ['role', 'model', 'at once', 'timeout', 'tools', 'what it is for'];
  for (const line of table(headings, rows, output.screen.columns)) output.line(line);
  return 0;
}

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
  output.line(`${dim('version')} ${role.prompt_version}`);
  output.line();
  output.line(role.prompt);
  return 0;
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
