/** How the Messages API says no: its error types, its body, and its words for a body of the wrong shape. */
import { Refusal } from './dialect.ts';
import { isRecord, pathText, type Wrong } from './shape.ts';

export const invalid = (message: string): Refusal =>
  new Refusal(400, message, { type: 'invalid_request_error' });
export const notFound = (message: string): Refusal => new Refusal(404, message, { type: 'not_found_error' });

export function errorBody(refusal: Refusal, requestId: string): string {
  const error = { details: null, type: refusal.type ?? typeOf(refusal.status), message: refusal.message };
  return JSON.stringify({ type: 'error', error, request_id: requestId });
}

function typeOf(status: number): string {
  const types: Readonly<Record<number, string>> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    409: 'conflict_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    504: 'timeout_error',
    529: 'overloaded_error',
  };
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** As the API words it: `max_tokens: Field required`, with the branch of a union in the path. */
export function wrongText({ path, issue, found }: Wrong, body: unknown): string {
  const steps: (string | number)[] = [];
  let value: unknown = body;
  for (const step of path) {
    steps.push(step);
    value =
      isRecord(value) || Array.isArray(value) ? (value as Record<string | number, unknown>)[step] : undefined;
    if (typeof step !== 'number' || !isRecord(value)) continue;
    const inTools = steps[0] === 'tools' && steps.length === 2;
    const kind = inTools ? (value['type'] ?? 'custom') : value['type'];
    if (typeof kind === 'string') steps.push(kind);
  }
  const where = pathText(steps, 'dots');
  const at = where === '' ? '' : `${where}.`;
  if (issue.code === 'unrecognized_keys') return `${at}${issue.keys[0]}: Extra inputs are not permitted`;
  if (found === undefined) return `${where}: Field required`;
  if (issue.code === 'invalid_format')
    return `${where}: String should match pattern '${String((issue as { pattern?: string }).pattern ?? '').replace(/^\/|\/$/g, '')}'`;
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const small = issue.code === 'too_small';
    const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
    if (issue.origin === 'string')
      return `${where}: String should have at ${small ? 'least' : 'most'} ${limit} characters`;
    if (issue.origin === 'array')
      return `${where}: List should have at ${small ? 'least' : 'most'} ${limit} items`;
    return `${where}: Input should be ${small ? 'greater' : 'less'} than or equal to ${limit}`;
  }
  if (issue.code === 'invalid_type')
    return `${where}: Input should be a valid ${wantedOf(issue.expected, where)}`;
  if (issue.code === 'invalid_value') return `${where}: Input should be '${issue.values.join("', '")}'`;
  return `${where}: Input does not match the expected shape (${issue.message})`;
}

function wantedOf(expected: string, where: string): string {
  if (expected === 'record' || expected === 'object') return 'dictionary';
  if (expected === 'array') return 'list';
  if (expected === 'int') return 'integer';
  return expected === 'number' && !/temperature|top_p/.test(where) ? 'integer' : expected;
}
