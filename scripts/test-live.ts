/**
 * `npm run test:live`: small calls and a small mission on each real provider that is there (a key, or a reachable
 * Ollama), for a fraction of a cent. Where none is, it says so and succeeds: there is nothing to try.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { tryProviders } from '#worker/models/live.ts';

const { there, failed } = await tryProviders(process.env, (line) => console.log(line));
if (there.length === 0) {
  console.log('Nothing was tried: no provider is there.');
} else {
  const { status } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'test.ts'), 'integration', 'integration-tests/live-mission.ts'],
    { stdio: 'inherit', env: { ...process.env, RAVENHELM_LIVE: there.join(',') } },
  );
  process.exitCode = failed > 0 ? 1 : (status ?? 1);
}
