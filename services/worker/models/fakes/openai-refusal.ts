/** How OpenAI says no: its body, its codes, and its words for a body of the wrong shape. */
import { Refusal } from './dialect.ts';
import { pathText, typeName, type Wrong } from './shape.ts';

export const invalid = (message: string, param?: string, code?: string): Refusal =>
  new Refusal(400, message, {
    type: 'invalid_request_error',
    ...(param === undefined ? {} : { param }),
    ...(code === undefined ? {} : { code }),
  });

export function errorOf(refusal: Refusal): Record<string, unknown> {
  const { message, param, code, status } = refusal;
  const type =
    refusal.type ?? (status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error');
  return { message, type, param, code: code ?? (status === 429 ? 'rate_limit_exceeded' : null) };
}

const words: Readonly<Record<string, string>> = {
  number: 'a decimal',
  int: 'an integer',
  string: 'a string',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};
const found = (value: unknown): string => {
  const name = typeName(value);
  return name === 'null' ? 'null' : `${/^[aio]/.test(name) ? 'an' : 'a'} ${name}`;
};

export function wrongOf({ path, issue, found: value }: Wrong): Refusal {
  const at = pathText(path, 'brackets');
  if (issue.code === 'unrecognized_keys') {
    const param = at === '' ? String(issue.keys[0]) : `${at}.${issue.keys[0]}`;
    return invalid(`Unknown parameter: '${param}'.`, param, 'unknown_parameter');
  }
  if (value === undefined)
    return invalid(`Missing required parameter: '${at}'.`, at, 'missing_required_parameter');
  if (issue.code === 'invalid_format')
    return invalid(
      `Invalid '${at}': string does not match pattern. Expected a string that matches the pattern '${String((issue as { pattern?: string }).pattern ?? '').replace(/^\/|\/$/g, '')}'.`,
      at,
      'invalid_value',
    );
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const above = issue.code === 'too_big';
    const limit = issue.code === 'too_big' ? issue.maximum : issue.minimum;
    if (issue.origin === 'array' || issue.origin === 'string')
      return invalid(
        `Invalid '${at}': ${issue.origin} too ${above ? 'long' : 'short'}. Expected ${issue.origin} with ${above ? 'maximum' : 'minimum'} length ${limit}.`,
        at,
        `${issue.origin}_${above ? 'above_max' : 'below_min'}_length`,
      );
    const kind = issue.origin === 'int' || Number.isInteger(value) ? 'integer' : 'decimal';
    return invalid(
      `Invalid '${at}': ${kind} ${above ? 'above maximum' : 'below minimum'} value. Expected a value ${above ? '<=' : '>='} ${limit}, but got ${JSON.stringify(value)} instead.`,
      at,
      `${kind}_${above ? 'above_max' : 'below_min'}_value`,
    );
  }
  if (issue.code === 'invalid_value' || issue.code === 'invalid_union') {
    const values =
      issue.code === 'invalid_value' ? issue.values.map((one) => `'${String(one)}'`).join(', ') : 'others';
    return invalid(
      `Invalid value: '${JSON.stringify(value)}'. Supported values are: ${values}.`,
      at,
      'invalid_value',
    );
  }
  const expected = issue.code === 'invalid_type' ? (words[issue.expected] ?? issue.expected) : issue.message;
  return invalid(
    `Invalid type for '${at}': expected ${expected}, but got ${found(value)} instead.`,
    at,
    'invalid_type',
  );
}
