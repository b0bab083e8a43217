import { run } from '#chassis/service.ts';
import { startProjector } from './projector.ts';

await run('projector', startProjector);
