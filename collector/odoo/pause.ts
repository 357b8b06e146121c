const SLOWEST_MS = 5 * 60_000;
/** A call that takes longer asks for a rest. */
const SLOW_CALL_MS = 500;

/** Milliseconds until the next round, after one whose calls took so long each: twice as long while Odoo is slow, and shorter again, down to `usual`, when it is not. */
export function nextPause(last: number, usual: number, calls: readonly { readonly ms: number }[]): number {
  const mean = calls.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, calls.length);
  return mean > SLOW_CALL_MS ? Math.min(SLOWEST_MS, last * 2) : Math.max(usual, last / 2);
}
