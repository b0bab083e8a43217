import { Failure } from '#chassis/failures.ts';
import { registerAll } from '#schemas/register.ts';
import { type ListedSchema, listSchemas } from '#schemas/registry.ts';
import { missionsSubject } from '#topics/table.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { findAddress, placeOf } from '../place.ts';
import { table } from '../table.ts';

async function registryOf({ env, signal }: Invocation) {
  const place = placeOf(env);
  const { registry: url } = await findAddress(place, env);
  return { url, missionsSubject: missionsSubject(place.prefix), signal };
}

/** Registers all schemas, or none when the registry would refuse one. */
export async function register(io: Invocation): Promise<ExitCode> {
  const { output } = io;
  const registered = await registerAll(await registryOf(io));
  if (output.json) output.document(registered, true);
  else {
    const added = registered.filter(({ outcome }) => outcome === 'registered');
    for (const { subject, id } of added) output.line(`registered ${subject} as ${id}`);
    output.line(`${registered.length - added.length} unchanged, ${added.length} registered.`);
  }
  return 0;
}

/** Tells whether the registry has all schemas as we have them. Exits 1 when not. */
export async function check(io: Invocation): Promise<ExitCode> {
  const { output } = io;
  const schemas = await listSchemas(await registryOf(io));
  const late = schemas.filter(({ in_step }) => !in_step);
  if (output.json) output.document({ in_step: late.length === 0, late }, true);
  else if (late.length === 0) output.line(`All ${schemas.length} schemas are in step.`);
  else {
    for (const line of schemaLines(late)) output.line(line);
    throw new Failure('schema_not_registered', `${late.length} of ${schemas.length} schemas are not in step`);
  }
  return late.length === 0 ? 0 : 1;
}

export async function list(io: Invocation): Promise<ExitCode> {
  const schemas = await listSchemas(await registryOf(io));
  if (io.output.json) io.output.document(schemas, true);
  else for (const line of schemaLines(schemas)) io.output.line(line);
  return 0;
}

function schemaLines(schemas: readonly ListedSchema[]): string[] {
  const rows = schemas.map(({ subject, id, version, compatibility, in_step }) => [
    subject,
    id,
    version,
    compatibility,
    in_step ? 'yes' : 'no',
  ]);
  return table(['subject', 'id', 'version', 'compatibility', 'in step'], rows);
}
