import { run } from '#chassis/service.ts';
import { startStatistics } from './statistics.ts';

await run('statistics', startStatistics);
