import { run } from '#chassis/service.ts';
import { startRetrier } from './retrier.ts';

await run('retrier', startRetrier);
