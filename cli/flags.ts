import type { ArgsDef } from 'citty';
import { z } from 'zod';
import { ClosewatchError, errorCode } from '../model/errors.ts';
import { type Config, readConfig } from './config.ts';

/** Flags that every command has. */
export const commonFlags = {
  'data-dir': {
    type: 'string',
    description: 'folder of the embedded engines (CLOSEWATCH_DATA_DIR, default ./data)',
  },
} as const satisfies ArgsDef;

export const jsonFlag = {
  json: { type: 'boolean', description: 'print one JSON object on standard output and nothing else there' },
} as const satisfies ArgsDef;

/** The settings of a command: file and environment, and the flags above them. Throws `config.invalid`. */
export const configOf = (
  args: { 'data-dir'?: string | undefined },
  more: Record<string, unknown> = {},
): Config => readConfig(process.env, { dataDir: args['data-dir'], ...more });

/** Exit codes: what a script may rely on. */
export const EXIT = {
  ok: 0,
  /** It could not be done; standard error says what and where. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** It was done, and what it found needs a person: open exceptions, rows that were refused, problems. */
  findings: 3,
  /** Another process holds the data directory. */
  locked: 4,
} as const;

/** Runs the body of a command. An error goes to standard error in one line and becomes the exit code. */
export async function exitCodeOf(body: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await body()) ?? EXIT.ok;
  } catch (error) {
    const code = errorCode(error);
    process.stderr.write(`closewatch: ${textOf(error)}\n`);
    if (!code && process.env.CLOSEWATCH_LOG_LEVEL === 'debug' && error instanceof Error) {
      process.stderr.write(`${error.stack}\n`);
    }
    if (code === 'data-dir.locked') process.exitCode = EXIT.locked;
    else
      process.exitCode = code === 'config.invalid' || error instanceof z.ZodError ? EXIT.usage : EXIT.failed;
  }
}

/** The message, and below it each problem that it does not name itself. */
function textOf(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
  if (!(error instanceof Error)) return String(error);
  const problems = error instanceof ClosewatchError ? error.problems : [];
  const more = problems.filter(({ where }) => !error.message.includes(where));
  return [error.message, ...more.map(({ where, what }) => `  ${where}: ${what}`)].join('\n');
}
