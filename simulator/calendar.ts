import { Temporal } from 'temporal-polyfill';
import type { Company } from '../model/company.ts';

/** Office hours of the simulated people, local time. */
const OPENS = 9;
const CLOSES = 17;

const local = (company: Company, ms: number) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(company.timezone);

const isWorkday = (company: Company, day: Temporal.PlainDate) =>
  company.calendar.workdays.includes(day.dayOfWeek) && !company.calendar.holidays.includes(day.toString());

const at = (company: Company, day: Temporal.PlainDate, minuteOfDay: number): number =>
  day.toZonedDateTime({
    timeZone: company.timezone,
    plainTime: Temporal.PlainTime.from({ hour: Math.floor(minuteOfDay / 60), minute: minuteOfDay % 60 }),
  }).epochMilliseconds;

/** The working days of a company from the local day of `from` to that of `to` (epoch ms), in order. */
export function workdays(company: Company, from: number, to: number): Temporal.PlainDate[] {
  const days: Temporal.PlainDate[] = [];
  const last = local(company, to).toPlainDate();
  for (
    let day = local(company, from).toPlainDate();
    Temporal.PlainDate.compare(day, last) <= 0;
    day = day.add({ days: 1 })
  ) {
    if (isWorkday(company, day)) days.push(day);
  }
  return days;
}

/** Epoch ms of a share (0 to 1) of the office hours of `day`. */
export const inOfficeHours = (company: Company, day: Temporal.PlainDate, share: number): number =>
  at(company, day, OPENS * 60 + Math.floor(share * (CLOSES - OPENS) * 60));

/** Epoch ms of `hour` o'clock local time on the `count`-th working day before the local day of `now` (1 = the last one before it). */
export function workdayBefore(company: Company, now: number, count: number, hour: number): number {
  let day = local(company, now).toPlainDate();
  for (let left = count; left > 0; ) {
    day = day.subtract({ days: 1 });
    if (isWorkday(company, day)) left -= 1;
  }
  return at(company, day, Math.round(hour * 60));
}

/** Epoch ms that lies `minutes` of office time after `ms`; nights, weekends and holidays do not count. */
export function afterOfficeTime(company: Company, ms: number, minutes: number): number {
  let left = minutes * 60_000;
  let cursor = ms;
  for (;;) {
    const day = local(company, cursor).toPlainDate();
    if (isWorkday(company, day)) {
      const opens = Math.max(cursor, at(company, day, OPENS * 60));
      const closes = at(company, day, CLOSES * 60);
      if (opens + left <= closes) return opens + left;
      left -= Math.max(0, closes - opens);
    }
    cursor = at(company, day.add({ days: 1 }), 0);
  }
}

/** Local calendar date, `2026-05-31`, and month, `2026-05`, of an instant. */
export const localDate = (company: Company, ms: number): string =>
  local(company, ms).toPlainDate().toString();
export const localMonth = (company: Company, ms: number): string => localDate(company, ms).slice(0, 7);
