/** What the providers do not take in a JSON schema that an answer is held to. */
import { isRecord } from './shape.ts';

const unsupported: Readonly<Record<string, readonly string[]>> = {
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems', 'uniqueItems', 'contains'],
  object: ['patternProperties', 'minProperties', 'maxProperties'],
};

/** The first thing that is wrong, in words; null if nothing is. */
export function strictSchemaFault(schema: unknown, provider: 'anthropic' | 'openai'): string | null {
  if (!isRecord(schema)) return 'Schema must be an object';
  if (provider === 'openai' && schema['type'] !== 'object')
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(schema['type'] ?? 'None')}'.`;
  return faultIn(schema, provider, []);
}

function faultIn(
  schema: Record<string, unknown>,
  provider: 'anthropic' | 'openai',
  path: readonly string[],
): string | null {
  const branches = ['anyOf', 'allOf', 'oneOf'].flatMap((key) => (Array.isArray(schema[key]) ? [key] : []));
  if (branches.includes('oneOf'))
    return where(provider, path, "'oneOf' is not permitted.", "'oneOf' is not supported");
  const typed = ['type', '$ref', 'enum', 'const'].some((key) => key in schema) || branches.length > 0;
  if (!typed) return where(provider, path, "schema must have a 'type' key.", 'Schema type is missing');
  for (const type of Array.isArray(schema['type']) ? (schema['type'] as unknown[]) : [schema['type']]) {
    const own = ownFault(schema, String(type), provider, path);
    if (own) return own;
  }
  for (const [step, inner] of innerSchemas(schema)) {
    const fault = isRecord(inner) ? faultIn(inner, provider, [...path, ...step]) : null;
    if (fault) return fault;
  }
  return null;
}

function ownFault(
  schema: Record<string, unknown>,
  type: string,
  provider: 'anthropic' | 'openai',
  path: readonly string[],
): string | null {
  if (type === 'object' && schema['additionalProperties'] !== false)
    return where(
      provider,
      path,
      "'additionalProperties' is required to be supplied and to be false.",
      "For 'object' type, 'additionalProperties' must be explicitly set to false",
    );
  if (type === 'object' && provider === 'openai') {
    const required = Array.isArray(schema['required']) ? schema['required'] : [];
    const missing = Object.keys(isRecord(schema['properties']) ? schema['properties'] : {}).find(
      (name) => !required.includes(name),
    );
    if (missing !== undefined)
      return where(
        provider,
        path,
        `'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`,
        '',
      );
  }
  if (type === 'array' && !('items' in schema) && provider === 'openai')
    return where(provider, path, 'array schema missing items.', '');
  if (provider === 'openai') return null;
  const bad = unsupported[type]?.filter((key) => key in schema) ?? [];
  if (type === 'array' && typeof schema['minItems'] === 'number' && schema['minItems'] > 1)
    return `For 'array' type, 'minItems' values other than 0 or 1 are not supported`;
  return bad.length > 0 ? `For '${type}' type, properties ${bad.join(', ')} are not supported` : null;
}

function* innerSchemas(schema: Record<string, unknown>): Generator<[string[], unknown]> {
  for (const key of ['properties', '$defs', 'definitions']) {
    if (!isRecord(schema[key])) continue;
    for (const [name, inner] of Object.entries(schema[key])) yield [[key, name], inner];
  }
  if (schema['items'] !== undefined) yield [['items'], schema['items']];
  for (const key of ['anyOf', 'allOf']) {
    if (!Array.isArray(schema[key])) continue;
    for (const [index, inner] of (schema[key] as unknown[]).entries()) yield [[key, String(index)], inner];
  }
}

function where(
  provider: 'anthropic' | 'openai',
  path: readonly string[],
  openai: string,
  anthropic: string,
): string {
  if (provider === 'anthropic') return anthropic;
  return `In context=(${path.map((step) => `'${step}'`).join(', ')}${path.length === 1 ? ',' : ''}), ${openai}`;
}
