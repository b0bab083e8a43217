import { Failure } from '#chassis/failures.ts';
import type { Role } from '#roles/load.ts';
import type { Script } from '#schemas/types.gen.ts';
import { chainOf } from './fallback.ts';
import type { Model } from './model.ts';
import type { ModelRef, Models } from './open-models.ts';
import { parseRefs } from './open-models.ts';
import { scriptedModel } from './scripted.ts';

export interface Wanted {
  readonly script: Script | null;
  readonly role: Role;
  /** What the task or its mission says: `provider/name`, or several with commas, the first preferred; '' for none. */
  readonly override: string;
  /** The role's cheaper model, if it has one: it comes before all others. */
  readonly cheaper?: boolean;
}

/**
 * The model of a task: its script if it has one; else what its mission says, the environment
 * (`RAVENHELM_MODEL_<ROLE>`, `RAVENHELM_MODEL`) or its role, in this order. Who names a model gets it without the role's
 * fallback. Of several, those whose provider has no key are left out. Throws `model_not_configured`, `key_missing` when
 * no key is there, or `invalid_configuration`.
 */
export function chooseModel(wanted: Wanted, models: Models): Model {
  const { script, role } = wanted;
  if (script !== null) return scriptedModel(script);
  const refs = refsOf(wanted, models);
  if (refs.length === 0) {
    throw new Failure(
      'model_not_configured',
      `the task has no script, and role ${role.name} names no model. Set \`script\` in the task, or ` +
        `\`model: {provider, name}\` in roles/${role.name}.md, or RAVENHELM_MODEL=provider/name in the environment`,
    );
  }
  const usable: Model[] = [];
  const skipped: string[] = [];
  for (const ref of refs) {
    const missing = models.missing(ref.provider);
    if (missing === null) usable.push(models.model(ref));
    else skipped.push(`${ref.provider}/${ref.name}: ${missing}`);
  }
  const [first, ...others] = usable;
  if (first === undefined) {
    throw new Failure(
      'key_missing',
      `role ${role.name} has no model that can be asked: ${skipped.join('; ')}`,
    );
  }
  if (others.length === 0 && skipped.length === 0) return first;
  if (skipped.length > 0) models.say(`role ${role.name} is served without ${skipped.join('; ')}`);
  return chainOf([first, ...others], skipped, models.log);
}

function refsOf({ role, override, cheaper }: Wanted, models: Models): readonly ModelRef[] {
  if (cheaper && role.model?.cheaper) return [role.model.cheaper];
  if (override.trim() !== '') return parseRefs(override, 'model of the task');
  const configured = models.configured(role.name);
  if (configured.length > 0) return configured;
  return role.model === null ? [] : [role.model, ...role.model.fallback];
}
