import { pino } from 'pino';
import type { Logger } from '../store/logger.ts';

/** Paths that may hold a secret; pino replaces their values. */
const SECRET = ['authorization', 'cookie', 'password', 'token', 'secret', 'apiKey'];

/** The log of the process: JSON lines on standard error, so that standard output stays the command's own. */
export function createLogger(level: 'debug' | 'info' | 'warn' | 'error'): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
