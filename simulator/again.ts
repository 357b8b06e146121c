import { setTimeout as sleep } from 'node:timers/promises';

/** As long a sender tries again before it gives up. */
const WITHIN_MS = 120_000;
const FIRST_WAIT_MS = 250;
const LAST_WAIT_MS = 5_000;

/** Answers after which the same may be sent again: too much at once, and away. */
const isPassing = (status: number): boolean => status === 429 || status === 503;

/** The milliseconds that `Retry-After` asks for; undefined when it names no whole seconds. */
const askedMs = (response: Response): number | undefined => {
  const text = response.headers.get('retry-after') ?? '';
  return /^\d{1,4}$/.test(text) ? Number(text) * 1000 : undefined;
};

/**
 * The answer to a request that may be sent several times. 429, 503 and failures of the network are tried again, after
 * what `Retry-After` says, for two minutes; then the last answer stands, or the last failure is thrown. An abort ends
 * the waiting with its reason.
 */
export async function answerOf(
  send: () => Promise<Response>,
  options: { signal?: AbortSignal | undefined; withinMs?: number } = {},
): Promise<Response> {
  const { signal, withinMs = WITHIN_MS } = options;
  const until = Date.now() + withinMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LAST_WAIT_MS, wait * 2)) {
    let waitMs = wait;
    try {
      const response = await send();
      waitMs = askedMs(response) ?? wait;
      if (!isPassing(response.status) || Date.now() + waitMs > until) return response;
      await response.body?.cancel();
    } catch (error) {
      signal?.throwIfAborted();
      if (Date.now() + waitMs > until) throw error;
    }
    await sleep(waitMs, undefined, signal ? { signal } : {});
  }
}
