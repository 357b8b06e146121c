import type { Minute } from '../../../store/clickhouse/objective-queries.ts';

/** A pair of windows and the burn rate that both must reach (Site Reliability Workbook, chapter 5): a budget of thirty days. */
interface BurnWindow {
  readonly longMinutes: number;
  readonly shortMinutes: number;
  readonly factor: number;
  /** Budget that is spent then. */
  readonly spent: string;
  readonly severity: 'medium' | 'high';
}

const WINDOWS: readonly BurnWindow[] = [
  { longMinutes: 60, shortMinutes: 5, factor: 14.4, spent: '2 %', severity: 'high' },
  { longMinutes: 360, shortMinutes: 30, factor: 6, spent: '5 %', severity: 'high' },
  { longMinutes: 1440, shortMinutes: 120, factor: 3, spent: '10 %', severity: 'medium' },
  { longMinutes: 4320, shortMinutes: 360, factor: 1, spent: '10 %', severity: 'medium' },
];

/** The longest window, in minutes. */
export const LONGEST = 4320;

export interface Burn {
  readonly severity: 'medium' | 'high';
  /** How many times as fast as allowed the budget burns, over the long window and the short one. */
  readonly long: number;
  readonly short: number;
  /** When the first bad one of the long window came, epoch minutes. */
  readonly since: number;
  readonly why: string;
}

/**
 * Does the error budget burn too fast at the end of the minute `now` (epoch minutes)? The fastest pair of windows that both burn is told; a
 * long window with fewer than `least` bad ones says nothing, however high its share.
 */
export function burning(
  minutes: readonly Minute[],
  { objective, least: leastBad, now }: { objective: number; least: number; now: number },
): Burn | undefined {
  const budget = 1 - objective;
  for (const window of WINDOWS) {
    const long = counted(minutes, now - window.longMinutes, now);
    const short = counted(minutes, now - window.shortMinutes, now);
    if (long.bad < leastBad || short.total === 0) continue;
    const [longBurn, shortBurn] = [long.bad / long.total / budget, short.bad / short.total / budget];
    // Shares of whole numbers miss a factor that they reach by the last bit.
    const least = window.factor * (1 - 1e-9);
    if (longBurn < least || shortBurn < least) continue;
    const since =
      minutes.find(({ minute, bad }) => minute > now - window.longMinutes && bad > 0)?.minute ?? now;
    const why = `${long.bad} of ${long.total} were bad within ${text(window.longMinutes)} and ${short.bad} of ${short.total} within ${text(window.shortMinutes)}: the budget of ${percent(budget)} burns ${longBurn.toFixed(1)} and ${shortBurn.toFixed(1)} times as fast as it may (${window.factor} tells, ${window.spent} of thirty days)`;
    return { severity: window.severity, long: longBurn, short: shortBurn, since, why };
  }
  return undefined;
}

const percent = (share: number): string => `${Number((share * 100).toFixed(4))} %`;
const text = (minutes: number): string =>
  minutes < 120 ? `${minutes} min` : minutes < 2880 ? `${minutes / 60} h` : `${minutes / 1440} d`;

/** The sums of the minutes (after, upTo]. */
function counted(minutes: readonly Minute[], after: number, upTo: number): { total: number; bad: number } {
  let [total, bad] = [0, 0];
  for (const one of minutes)
    if (one.minute > after && one.minute <= upTo) {
      total += one.total;
      bad += one.bad;
    }
  return { total, bad };
}
