import { parseArgs } from 'node:util';
import { run } from '#chassis/service.ts';
import { loadRoles, selectRoles } from '#roles/load.ts';
import { hostRoles } from './roles-service.ts';

const { values } = parseArgs({ options: { roles: { type: 'string', default: 'all' } } });

await run('worker', (context) =>
  hostRoles(context, selectRoles(loadRoles(context.config.RAVENHELM_ROLES), values.roles)),
);
