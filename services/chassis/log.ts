import { type Logger, pino } from 'pino';

export type { Logger };

/** Names of fields that never reach a log line, at any of the first levels of nesting. */
const secretFields = ['password', 'token', 'secret', 'api_key', 'apiKey', 'authorization', 'DATABASE_URL'];

/** Shapes of secrets inside free text: credentials in addresses, provider keys, bearer tokens, private keys. */
const secretShapes: readonly [RegExp, string][] = [
  [/(\w+:\/\/[^\s:/@]+):[^\s@/]+@/g, '$1:[secret]@'],
  [/\b(sk-[A-Za-z0-9_-]{8})[A-Za-z0-9_-]+/g, '$1[secret]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, '[secret]'],
];

export function scrub(text: string): string {
  return secretShapes.reduce((scrubbed, [shape, instead]) => scrubbed.replace(shape, instead), text);
}

/** A pino logger writing JSON lines to standard output: one line per decision, secrets scrubbed. */
export function openLog(name: string, level: string): Logger {
  return pino({
    name,
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[secret]',
    },
    hooks: { streamWrite: scrub },
  });
}
