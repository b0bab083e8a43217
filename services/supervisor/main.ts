import { parseArgs } from 'node:util';
import { openLog } from '#chassis/log.ts';
import { reviveSignal } from './revive.ts';
import { countsIn, servicesFor } from './services.ts';
import { type Supervisor, supervise } from './supervisor.ts';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    cwd: { type: 'string' },
    settings: { type: 'string' },
    'first-port': { type: 'string' },
    count: { type: 'string', multiple: true, default: [] },
  },
});
const { dir, cwd = process.cwd(), settings = '' } = values;
if (dir === undefined) throw new Error('expected --dir, where supervisor.json and logs/ are');

const log = openLog('supervisor', process.env['LOG_LEVEL'] ?? 'info');
// Before anyone can read our number and send it: unheard, this signal would end us.
let supervisor: Supervisor | null = null;
process.on(reviveSignal, () => supervisor?.revive());
const supervised = await supervise({
  dir,
  cwd,
  settings,
  env: process.env,
  log,
  firstPort: Number(values['first-port'] ?? 18100),
  services: servicesFor(countsIn(values.count)),
});

supervisor = supervised;

let stopping = false;
const stop = async (signal: string): Promise<void> => {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping the services');
  await supervised.stop(Number(process.env['RAVENHELM_DRAIN_TIMEOUT_MS'] ?? 10_000) + 5000);
  log.info('stopped');
  process.exit(0);
};
process.on('SIGTERM', () => void stop('SIGTERM'));
process.on('SIGINT', () => void stop('SIGINT'));
