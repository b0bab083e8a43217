import { type Logger, type LoggerOptions, pino } from 'pino';
import { processScrubber } from './secrets.ts';

export type { Logger };

/** Names of fields that never reach a log line, at any of the first levels of nesting. */
const secretFields = ['password', 'token', 'secret', 'api_key', 'apiKey', 'authorization', 'DATABASE_URL'];

/** JSON lines, one per decision. Each is scrubbed as it is written, whatever field a secret is in. */
export function logOptions(name: string, level: string, scrub: (line: string) => string): LoggerOptions {
  return {
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
  };
}

/** A logger to standard output that knows the secrets of this process. */
export function openLog(name: string, level: string): Logger {
  return pino(logOptions(name, level, processScrubber().text));
}
