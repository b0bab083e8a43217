import { run } from '#chassis/service.ts';
import { startOrchestrator } from './orchestrator.ts';

await run('orchestrator', startOrchestrator);
