import type { TaskSpec } from './types.gen.ts';

const nothing = {
  description: '',
  needs: [],
  wave: 0,
  timeout_ms: 0,
  max_attempts: 0,
  script: null,
  kind: '',
  partial: false,
  model: '',
  mission: '',
  compensation: null,
  budget: null,
  priority: '',
  context: '',
  hops: 0,
  caused_by: '',
  compensates: '',
} as const satisfies Omit<TaskSpec, 'id' | 'role'>;

/** A task with these fields; the others have the defaults of the schema. */
export const taskSpec = (
  fields: Pick<TaskSpec, 'id' | 'role'> & Partial<Omit<TaskSpec, 'id' | 'role'>>,
): TaskSpec => ({ ...nothing, ...fields });
