import { z } from 'zod';
import { type BusinessClock, shiftWorkdays, workTime } from './business-time.ts';
import { dateOfDayNumber, dayOfDate } from './zone.ts';

/** An accounting period: a calendar month, `2026-05`. */
export const period = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be YYYY-MM');
export type Period = z.infer<typeof period>;

const NANOS_PER_MS = 1_000_000n;
/** A period that nobody locks stops closing at the end of this working day after it. */
const LAST_CLOSING_WORKDAY = 15;

const nanosOfMs = (ms: number): bigint => BigInt(ms) * NANOS_PER_MS;
const firstDay = (period: Period): number => dayOfDate(`${period}-01`);

/** The period `steps` months later (earlier when negative). */
export function shiftPeriod(period: Period, steps: number): Period {
  const months = Number(period.slice(0, 4)) * 12 + Number(period.slice(5, 7)) - 1 + steps;
  return `${String(Math.floor(months / 12)).padStart(4, '0')}-${String((months % 12) + 1).padStart(2, '0')}`;
}

/** The period in which the instant (epoch nanoseconds) falls on the company's clock. */
export function periodOf(at: bigint, company: Pick<BusinessClock, 'timezone' | 'calendar'>): Period {
  const { clock } = workTime(company);
  const ms = at / NANOS_PER_MS - (at % NANOS_PER_MS < 0n ? 1n : 0n);
  return dateOfDayNumber(clock.toLocal(Number(ms)).day).slice(0, 7);
}

/** The first instant of the period on the company's clock, and the first one after it, in epoch nanoseconds. */
export function boundsOf(period: Period, company: BusinessClock): { start: bigint; end: bigint } {
  const { clock } = workTime(company);
  return {
    start: nanosOfMs(clock.toInstant(firstDay(period), 0)),
    end: nanosOfMs(clock.toInstant(firstDay(shiftPeriod(period, 1)), 0)),
  };
}

/**
 * The calendar date of working day WDn of a period's close: WD1 is the first working day after the period, WD2 the next;
 * WD-1 the last working day of the period itself, WD-2 the one before. There is no WD0.
 */
export function closeWorkday(period: Period, n: number, company: BusinessClock): string {
  return dateOfDayNumber(closeDay(period, n, company));
}

function closeDay(period: Period, n: number, company: BusinessClock): number {
  const after = firstDay(shiftPeriod(period, 1));
  return shiftWorkdays(workTime(company), n > 0 ? after - 1 : after, n);
}

/**
 * Is the period closing at the instant? From the start of WD-2 until it is locked or signed off (`lockedAt`, epoch
 * nanoseconds, when that is known), but not past the end of WD15: a company that never locks does not close forever.
 */
export function isClosing(period: Period, company: BusinessClock, at: bigint, lockedAt?: bigint): boolean {
  if (lockedAt !== undefined && at >= lockedAt) return false;
  const { start, end } = closingOf(period, company);
  return start <= at && at < end;
}

/** The start of WD-2 of the period and the end of its WD15, in epoch nanoseconds. */
function closingOf(period: Period, company: BusinessClock): { start: bigint; end: bigint } {
  const { clock } = workTime(company);
  return {
    start: nanosOfMs(clock.toInstant(closeDay(period, -2, company), 0)),
    end: nanosOfMs(clock.toInstant(closeDay(period, LAST_CLOSING_WORKDAY, company) + 1, 0)),
  };
}

/** The end of working day WDn of a period's close, epoch nanoseconds. */
export const closeDayEnd = (period: Period, n: number, company: BusinessClock): bigint =>
  nanosOfMs(workTime(company).clock.toInstant(closeDay(period, n, company) + 1, 0));

/** Does the instant lie between the start of working day WD`from` and the end of WD`to` of any close? */
export function isClosingBetween(
  at: bigint,
  company: BusinessClock,
  { from, to }: { from: number; to: number },
): boolean {
  const { clock } = workTime(company);
  const current = periodOf(at, company);
  return [shiftPeriod(current, -1), current].some((period) => {
    const start = nanosOfMs(clock.toInstant(closeDay(period, from, company), 0));
    return start <= at && at < closeDayEnd(period, to, company);
  });
}

/** The closing of a period begins within it and ends, holidays and all, at most so many months later. */
const MONTHS_OF_CLOSING = 3;

/** Did any period begin or end closing in (since, now], epoch nanoseconds? */
export function didClosingMove(
  company: BusinessClock,
  { since, now }: { since: bigint; now: bigint },
): boolean {
  const last = periodOf(now, company);
  const isIn = (instant: bigint): boolean => since < instant && instant <= now;
  let period = shiftPeriod(periodOf(since, company), -MONTHS_OF_CLOSING);
  for (; period <= last; period = shiftPeriod(period, 1)) {
    const { start, end } = closingOf(period, company);
    if (isIn(start) || isIn(end)) return true;
  }
  return false;
}

/** The period whose close is going on: the one before the current one while it is closing, else the current one. */
export function closePeriodOf(at: bigint, company: BusinessClock): Period {
  const current = periodOf(at, company);
  const before = shiftPeriod(current, -1);
  return isClosing(before, company, at) ? before : current;
}
