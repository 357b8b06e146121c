import { z } from 'zod';

/** An allowed time: elapsed (`90s`, `30m`, `4h`, `14d`, `2w`) or business (`3bd` working days, `6bh` working hours). */
export type Duration =
  | { readonly clock: 'elapsed'; readonly nanos: bigint; readonly text: string }
  | { readonly clock: 'business'; readonly days: number; readonly text: string }
  | { readonly clock: 'business-hours'; readonly nanos: bigint; readonly text: string };

const SECOND = 1_000_000_000n;
const UNITS: Record<string, bigint> = {
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
  d: 86_400n * SECOND,
  w: 604_800n * SECOND,
};

/** Reads `14d`, `3bd`, `6bh` …; undefined for anything else. Days are 24 hours; a business day is a working day. */
export function parseDuration(text: string): Duration | undefined {
  const [, count, unit] = /^(\d{1,6})(s|m|h|d|w|bd|bh)$/.exec(text.trim()) ?? [];
  if (!count || !unit) return undefined;
  if (unit === 'bd') return { clock: 'business', days: Number(count), text };
  if (unit === 'bh') return { clock: 'business-hours', nanos: BigInt(count) * 3600n * SECOND, text };
  return { clock: 'elapsed', nanos: BigInt(count) * (UNITS[unit] as bigint), text };
}

export const durationText = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'must be a duration such as 30m, 4h, 14d, 3bd or 6bh');

/** An elapsed time in a setting, `7d`, in milliseconds. */
export const elapsedMs = durationText.transform((text, { addIssue }) => {
  const duration = parseDuration(text);
  if (duration?.clock === 'elapsed') return Number(duration.nanos / 1_000_000n);
  addIssue('must be an elapsed time such as 12h or 7d');
  return z.NEVER;
});
