import { formatInstant } from '../../model/time.ts';

/** One or several event types in a sentence: `bill.posted or bill.rejected`. */
export const anyOf = (types: readonly string[]): string => types.join(' or ');

/** How long past its deadline something is, in the largest whole unit: `3 d`, `5 h`, `12 min`, `8 s`. */
export function overdueText(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  if (seconds >= 86_400n) return `${seconds / 86_400n} d`;
  if (seconds >= 3600n) return `${seconds / 3600n} h`;
  return seconds >= 60n ? `${seconds / 60n} min` : `${seconds} s`;
}

/** Why nothing can be said about an unanswered deadline: the source is behind it, or unknown. */
export function incompleteText(types: readonly string[], due: bigint, watermark: bigint | undefined): string {
  const until = formatInstant(due);
  return watermark === undefined
    ? `no ${anyOf(types)} seen, and no source is known to be complete up to the deadline ${until}`
    : `no ${anyOf(types)} seen, but the source is complete only up to ${formatInstant(watermark)}, short of the deadline ${until}`;
}
