import { Failure } from '#chassis/failures.ts';
import type { Role } from '#roles/load.ts';
import type { Script } from '#schemas/types.gen.ts';
import type { Model } from './model.ts';
import { scriptedModel } from './scripted.ts';

/** The model of a task: its script if it has one, else what its role configures. Throws `model_not_configured`. */
export function chooseModel(script: Script | null, role: Role): Model {
  if (script !== null) return scriptedModel(script);
  const found = role.model
    ? `role ${role.name} names ${role.model.provider}/${role.model.name}`
    : `role ${role.name} names no model`;
  throw new Failure(
    'model_not_configured',
    `the task has no script, and ${found}. Set \`script\` in the task: it is the only model of this version. ` +
      `Model providers (\`model: {provider, name}\` in roles/${role.name}.md, and the provider's key) come with a later one.`,
  );
}
