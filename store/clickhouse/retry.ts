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

/** What went wrong, as one of ours: 'engine.unavailable' when trying again may help, else 'engine.failed'. */
export function clickHouseError(error: unknown, name: string): ClosewatchError {
  if (errorCode(error) !== undefined) return error as ClosewatchError;
  const text = error instanceof Error ? error.message : String(error);
  const passing = error instanceof ClickHouseError ? PASSING.has(error.code) : isNetwork(error);
  const code = error instanceof ClickHouseError ? ` (ClickHouse ${error.code} ${error.type ?? ''})` : '';
  return new ClosewatchError(passing ? 'engine.unavailable' : 'engine.failed', `${name}: ${text}${code}`, {
    cause: error,
  });
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
