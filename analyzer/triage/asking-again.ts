import type { FallbackReason } from '../../model/assessment.ts';

/** What passes: the model's server was away or busy. What a model said, and what was refused, would come again. */
const PASSING: ReadonlySet<FallbackReason> = new Set([
  'timeout',
  'connection',
  'rate-limited',
  'server-error',
  'breaker-open',
  'busy',
]);
const NANOS_PER_MINUTE = 60_000_000_000n;
const NANOS_PER_DAY = 1_440n * NANOS_PER_MINUTE;
const MINUTES = [5n, 15n, 60n] as const;

/**
 * When (epoch nanoseconds) a question is put again that failed at `now` for `reason` and had been asked `asked` times
 * before: after 5, 15 and 60 minutes, then never; on the next day when the budget was spent; never for a reason that does not pass.
 */
export function askedAgainAt(reason: FallbackReason, asked: number, now: bigint): bigint | undefined {
  if (reason === 'budget') return (now / NANOS_PER_DAY + 1n) * NANOS_PER_DAY;
  const minutes = PASSING.has(reason) ? MINUTES[asked] : undefined;
  return minutes === undefined ? undefined : now + minutes * NANOS_PER_MINUTE;
}
