import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseError } from '@clickhouse/client';
import { ClosewatchError, errorCode } from '../../model/errors.ts';

/** Waits between attempts: together longer than a restart of the embedded engine takes. */
const WAITS_MS = [50, 200, 500, 1000, 2000, 2000, 2000, 2000, 2000, 2000, 2000];
/** Failures of a connection, which say nothing about the request. */
const NETWORK = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ENOTFOUND',
]);
/**
 * ClickHouse's exceptions that pass: no free thread (439) or query slot (202), shutting down (236), server memory
 * (241), too many parts (252), network and sockets (209, 210), Keeper (999), read-only replica (242).
 */
const PASSING = new Set(['202', '209', '210', '236', '241', '242', '252', '439', '999']);

/**
 * ClickHouse's exceptions that blame the rows of an insert, so that others would be taken: parsing (6, 26, 27, 38, 41, 72),
 * types and ranges (53, 69, 70, 117, 321, 407), NULL (349), lengths (131, 190), a constraint (469), an element that an
 * Enum does not have (691).
 */
const OF_THE_DATA = new Set(
  [6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 407, 469, 691].map(String),
);

/**
 * What went wrong, as one of ours: 'engine.unavailable' when trying again may help, 'engine.data' when what was sent is to
 * blame, else 'engine.failed'.
 */
export function clickHouseError(error: unknown, name: string): ClosewatchError {
  if (errorCode(error) !== undefined) return error as ClosewatchError;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof ClickHouseError ? ` (ClickHouse ${error.code} ${error.type ?? ''})` : '';
  return new ClosewatchError(kindOf(error), `${name}: ${text}${code}`, { cause: error });
}

function kindOf(error: unknown): 'engine.unavailable' | 'engine.data' | 'engine.failed' {
  if (!(error instanceof ClickHouseError)) return isNetwork(error) ? 'engine.unavailable' : 'engine.failed';
  if (PASSING.has(error.code)) return 'engine.unavailable';
  return OF_THE_DATA.has(error.code) ? 'engine.data' : 'engine.failed';
}

function isNetwork(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && NETWORK.has(code)) return true;
  return (
    typeof message === 'string' && /socket hang up|Timeout error|premature close|terminated/i.test(message)
  );
}

export interface RetryOptions {
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  readonly logger: { warn(fields: object, message: string): void } | undefined;
}

/**
 * The result of `attempt`, tried again (some 16 s in all) while it fails with 'engine.unavailable'. When the signal aborts,
 * there is no further attempt: throws the last failure at once, or 'engine.failed' when nothing was tried.
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal } = options;
  for (let tries = 0; ; tries++) {
    // The client listens for an abort to come, and would not notice one that has come already.
    if (signal?.aborted) throw clickHouseError(signal.reason, options.name);
    try {
      return await attempt();
    } catch (thrown) {
      const error = clickHouseError(thrown, options.name);
      const wait = WAITS_MS[tries];
      if (!error.retryable || wait === undefined || signal?.aborted) throw error;
      options.logger?.warn(
        { query: options.name, tries: tries + 1, err: error.message },
        'ClickHouse: again',
      );
      await sleep(wait, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}
