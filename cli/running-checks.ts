import { diffTopics } from '#chassis/admin.ts';
import { type Agent, isAlive } from '#chassis/agents.ts';
import { readConfig } from '#chassis/config.ts';
import { asFailure } from '#chassis/failures.ts';
import { status as stackStatus, whereIs } from '#local/stack.ts';
import { listSchemas } from '#schemas/registry.ts';
import { serviceStates } from '#supervisor/control.ts';
import { missionsSubject } from '#topics/table.ts';
import { withConnection } from './connection.ts';
import { oneLine } from './format.ts';
import type { Invocation } from './invocation.ts';
import type { Check, Finding } from './machine-checks.ts';
import { placeOf, serviceEnvironment } from './place.ts';
import { wantedTopics } from './prepare.ts';
import { readAgents } from './squad.ts';

const notUp: Finding = {
  level: 'warn',
  found: 'nothing runs here',
  advice: '`ravenhelm up` starts everything.',
};

/** What processes that are alive say of themselves. */
export function problemsOf(agents: readonly Agent[]): Finding {
  const problems = agents
    .filter(isAlive)
    .flatMap(({ service, problems: said }) => said.map((line) => `${service}: ${line}`));
  return problems.length === 0
    ? { level: 'ok', found: 'no service has any to tell of' }
    : {
        level: 'fail',
        found: problems.map((line) => oneLine(line, 400)).join('\n'),
        advice: 'docs/operations.md, "A mission is set aside".',
      };
}

/** Whether what runs answers, and is as this version wants it. */
export function runningChecks(io: Invocation): Check[] {
  const { env, signal } = io;
  const place = placeOf(env);
  const address = () => whereIs({ dir: place.home, env });

  const component = (name: 'kafka' | 'registry' | 'postgres', label: string): Check => ({
    name: label,
    advice: '`ravenhelm logs` shows the logs of all components.',
    async run() {
      if ((await address()) === null) return notUp;
      const { components } = await stackStatus({ dir: place.home, env });
      // Of brokers there may be several.
      const found = components.filter((each) => each.name === name || each.name.startsWith(`${name}-`));
      if (found.length === 0) return { level: 'warn', found: 'unknown' };
      const broken = found.filter(({ state }) => state !== 'ready');
      const at = (these: typeof found) => these.map(({ address }) => address).join(',');
      if (broken.length === 0)
        return {
          level: 'ok',
          found: `${found.length > 1 ? `all ${found.length} answer` : 'answers'} at ${at(found)}`,
        };
      return {
        level: 'fail',
        found: broken.map(({ state, address }) => `${state} at ${address}`).join('; '),
        advice: `\`ravenhelm up\` starts what is stopped; ${broken.map((each) => `\`ravenhelm logs ${each.name}\``).join(', ')}`,
      };
    },
  });

  return [
    component('kafka', 'brokers'),
    component('registry', 'registry'),
    component('postgres', 'database'),
    {
      name: 'topics',
      advice: '`ravenhelm topics diff` shows what differs, `ravenhelm topics apply` mends it.',
      async run() {
        if ((await address()) === null) return notUp;
        const drift = await withConnection(io, async (connection) => {
          const config = readConfig(serviceEnvironment(place, connection.address, env));
          const admin = await connection.admin();
          return diffTopics(admin, await wantedTopics(config, admin, signal), signal);
        });
        return drift.length === 0
          ? { level: 'ok', found: 'in step' }
          : { level: 'fail', found: `${drift.length} differences`, advice: this.advice };
      },
    },
    {
      name: 'schemas',
      advice: '`ravenhelm schemas check` shows which, `ravenhelm schemas register` mends it.',
      async run() {
        const where = await address();
        if (where === null) return notUp;
        const schemas = await listSchemas({
          url: where.registry,
          missionsSubject: missionsSubject(place.prefix),
          signal,
        });
        const late = schemas.filter(({ in_step }) => !in_step).length;
        return late === 0
          ? { level: 'ok', found: `${schemas.length} in step` }
          : { level: 'fail', found: `${late} of ${schemas.length} not in step`, advice: this.advice };
      },
    },
    {
      name: 'services',
      advice: '`ravenhelm logs` shows the logs of all services.',
      async run() {
        const services = await serviceStates(place.home).catch((error: unknown) => {
          throw asFailure(error);
        });
        if (services.length === 0) return notUp;
        const found = services.map(
          ({ name, state, restarts }) => `${name} ${state}${restarts > 0 ? ` (${restarts} restarts)` : ''}`,
        );
        const good = services.every(({ state }) => state === 'ready');
        const text = found.join(', ');
        return good
          ? { level: 'ok', found: text }
          : { level: 'fail', found: text, advice: '`ravenhelm up`, `ravenhelm logs`' };
      },
    },
    {
      name: 'problems',
      advice: 'docs/operations.md, "A mission is set aside".',
      async run() {
        if ((await address()) === null) return notUp;
        return problemsOf(await withConnection(io, (connection) => readAgents(connection, signal)));
      },
    },
  ];
}
