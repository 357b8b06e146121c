import { shiftWorkdays, type WorkTime, workTime } from '../../../model/business-time.ts';
import type { Company } from '../../../model/company.ts';
import { shiftPeriod } from '../../../model/period.ts';
import { dateOfDayNumber, dayOfDate } from '../../../model/zone.ts';

/** A local day as counts see it: whether it is worked, its day of the week, and whether a month begins or ends about it. */
export interface DayType {
  readonly isWorked: boolean;
  readonly weekday: number;
  readonly isTurn: boolean;
  /** A number, below `DAYS_ALIKE`, that days have in common which are most alike. */
  readonly alike: number;
}

export const DAYS_ALIKE = 28;

/** Working days at each end of a month that have a traffic of their own. */
const TURN_DAYS = 2;

/** The type of a local day (days since 1970-01-01) of the company. */
export function dayTypeOf(day: number, company: Company): DayType {
  const work = workTime(company);
  const known = KNOWN.get(work) ?? new Map<number, DayType>();
  KNOWN.set(work, known);
  let type = known.get(day);
  if (!type) {
    type = typeIn(work, day);
    known.set(day, type);
  }
  return type;
}

/** The days of a calendar: every rule asks about the same ones, at every company that has it. */
const KNOWN = new WeakMap<WorkTime, Map<number, DayType>>();

function typeIn(work: WorkTime, day: number): DayType {
  const month = dateOfDayNumber(day).slice(0, 7);
  const first = dayOfDate(`${month}-01`);
  const next = dayOfDate(`${shiftPeriod(month, 1)}-01`);
  const isTurn =
    day >= shiftWorkdays(work, next, -TURN_DAYS) || day <= shiftWorkdays(work, first - 1, TURN_DAYS);
  const [isWorked, weekday] = [work.isWorkday(day), (((day + 3) % 7) + 7) % 7];
  return { isWorked, weekday, isTurn, alike: (isWorked ? 14 : 0) + (isTurn ? 7 : 0) + weekday };
}

/** The local day on which the instant (epoch nanoseconds) falls, and the first instant of a local day. */
export const localDay = (at: bigint, company: Company): number =>
  workTime(company).clock.toLocal(Number(at / 1_000_000n)).day;
export const startOfDay = (day: number, company: Company): bigint =>
  BigInt(workTime(company).clock.toInstant(day, 0)) * 1_000_000n;

/**
 * From the most to the least alike: same weekday and turn of the month, same kind of day and turn, same kind of day. The turn
 * of a month is like no other day: nothing is said of it before some were seen.
 */
export const LIKENESSES: readonly ((a: DayType, b: DayType) => boolean)[] = [
  (a, b) => a.isWorked === b.isWorked && a.isTurn === b.isTurn && a.weekday === b.weekday,
  (a, b) => a.isWorked === b.isWorked && a.isTurn === b.isTurn,
  (a, b) => a.isWorked === b.isWorked && !b.isTurn,
];
