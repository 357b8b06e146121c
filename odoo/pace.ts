import { setTimeout as sleep } from 'node:timers/promises';
import { ExponentialBackoff, handleWhen, type ICancellationContext, retry } from 'cockatiel';
import PQueue from 'p-queue';
import { z } from 'zod';
import { OdooError } from './errors.ts';

/** How hard an Odoo may be asked. */
export const odooPace = z.strictObject({
  perSecond: z.number().positive().max(1000).describe('calls that may begin in a second'),
  parallel: z.int().min(1).max(64).describe('calls that may be under way at once'),
});
export type OdooPace = z.infer<typeof odooPace>;

/**
 * What Odoo Online asks of its customers, one call a second and no parallel ones (finance.md B.3); servers of one's own answer
 * some 20 calls a second with two processors, of which a quarter is taken.
 */
export const defaultPace = (url: string): OdooPace =>
  /(^|\.)odoo\.com$/.test(URL.parse(url)?.hostname ?? '')
    ? { perSecond: 1, parallel: 1 }
    : { perSecond: 5, parallel: 2 };

/** For what a person waits for, and is done once. */
export const briskPace = (url: string): OdooPace => {
  const usual = defaultPace(url);
  return usual.perSecond === 1 ? usual : { perSecond: 15, parallel: 2 };
};

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

export interface PacedOptions {
  /** It may be done again when its answer did not come: reading, or writing what is the same the second time. */
  readonly again: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Begins calls at a pace; those that may be tried again are when Odoo is busy, after the wait that it asks for. */
export class Pacer {
  readonly #queue: PQueue;
  readonly #policy = retry(
    handleWhen((error) => error instanceof OdooError && error.retryable),
    {
      maxAttempts: ATTEMPTS - 1,
      backoff: new ExponentialBackoff({ initialDelay: FIRST_WAIT_MS, maxDelay: LONGEST_WAIT_MS }),
    },
  );

  constructor({ perSecond, parallel }: OdooPace) {
    // Slower than one a second: one in as many milliseconds.
    const interval = perSecond < 1 ? Math.round(1000 / perSecond) : 1000;
    this.#queue = new PQueue({
      concurrency: parallel,
      interval,
      intervalCap: Math.max(1, Math.floor(perSecond)),
    });
  }

  async run<T>(work: () => Promise<T>, { again, signal }: PacedOptions): Promise<T> {
    const once = async (): Promise<T> => {
      const result = await this.#queue.add(work, signal ? { signal } : {});
      return result as T;
    };
    if (!again) return await once();
    return await this.#policy.execute((context) => this.#unhurried(once, context), signal);
  }

  /** A failure waits as long as Odoo asks before it counts as one: the policy's own wait comes on top. */
  async #unhurried<T>(
    work: () => Promise<T>,
    { attempt, signal }: { attempt: number } & ICancellationContext,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const asked = error instanceof OdooError ? (error.retryAfterMs ?? 0) : 0;
      if (attempt < ATTEMPTS - 1 && asked > 0)
        await sleep(Math.min(asked, LONGEST_WAIT_MS), undefined, { signal });
      throw error;
    }
  }
}
