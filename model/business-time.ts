import type { Calendar, Company } from './company.ts';
import type { Duration } from './duration.ts';
import { DAY_MS, dayOfDate, type ZoneClock, zoneClock } from './zone.ts';

const NANOS_PER_MS = 1_000_000n;
/** The last instant that a 64-bit column of nanoseconds holds (2262-04-11): what lies beyond is due then. */
const LAST = 9_223_372_036_854_775_807n;
/** Nothing is due past this local day (2262-01-01), so that counting working days ends. */
const LAST_DAY = dayOfDate('2262-01-01');

/** Where and by which calendar a company works: what deadlines need of it. */
export type BusinessClock = Pick<Company, 'timezone' | 'calendar'>;

/** A calendar with its texts read: which local days are worked, and from when to when (ms on the clock). */
export interface WorkTime {
  readonly clock: ZoneClock;
  readonly openMs: number;
  readonly closeMs: number;
  isWorkday(day: number): boolean;
}

const READ = new WeakMap<Calendar, Map<string, WorkTime>>();

/** The working time of a company; read once for each calendar object and zone. */
export function workTime(company: BusinessClock): WorkTime {
  const zones = READ.get(company.calendar) ?? new Map<string, WorkTime>();
  const work = zones.get(company.timezone) ?? readCalendar(company);
  READ.set(company.calendar, zones.set(company.timezone, work));
  return work;
}

const clockMsOf = (time: string): number =>
  (Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))) * 60_000;

function readCalendar({ timezone, calendar }: BusinessClock): WorkTime {
  const workdays = new Set(calendar.workdays);
  const holidays = new Set(calendar.holidays.map(dayOfDate));
  return {
    clock: zoneClock(timezone),
    openMs: calendar.hours ? clockMsOf(calendar.hours.from) : 0,
    closeMs: calendar.hours ? clockMsOf(calendar.hours.to) : DAY_MS,
    // 1970-01-01 (day 0) was a Thursday (4).
    isWorkday: (day) => workdays.has(((((day + 3) % 7) + 7) % 7) + 1) && !holidays.has(day),
  };
}

/** The first working day at or after `day`; day 2262-01-01 when there is none before it. */
function workdayFrom(work: WorkTime, day: number): number {
  let candidate = day;
  while (!work.isWorkday(candidate) && candidate < LAST_DAY) candidate += 1;
  return candidate;
}

/** The n-th working day after `day` (n > 0) or before it (n < 0). */
export function shiftWorkdays(work: WorkTime, day: number, n: number): number {
  const step = n < 0 ? -1 : 1;
  let candidate = day;
  for (let left = Math.abs(n); left > 0 && candidate < LAST_DAY && candidate > -LAST_DAY; ) {
    candidate += step;
    if (work.isWorkday(candidate)) left -= 1;
  }
  return candidate;
}

/** The opening at or after a local time: the same moment when it falls into working time, else the start of the next. */
function openingFrom(work: WorkTime, day: number, clockMs: number): { day: number; clockMs: number } {
  if (work.isWorkday(day)) {
    if (clockMs < work.openMs) return { day, clockMs: work.openMs };
    if (clockMs < work.closeMs) return { day, clockMs };
  }
  return { day: workdayFrom(work, day + 1), clockMs: work.openMs };
}

/**
 * The instant `duration` after `at`, both in epoch nanoseconds. Elapsed time is exact. `Nbd` is the same local time N
 * working days later; an instant outside working time (a free day, or before or after the hours when the calendar has
 * them; closing time itself is outside) counts from the next opening. `Nbh` counts working time only, as it really
 * passes, so a day of a clock change has an hour more or less. A local time that the clock skips moves forward. Nothing
 * is due after 2262-04-11, the end of 64-bit nanoseconds.
 */
export function addDuration(at: bigint, duration: Duration, company: BusinessClock): bigint {
  const due = duration.clock === 'elapsed' ? at + duration.nanos : addBusiness(at, duration, company);
  return due > LAST ? LAST : due;
}

function addBusiness(at: bigint, duration: Exclude<Duration, { clock: 'elapsed' }>, company: BusinessClock) {
  const work = workTime(company);
  const epochMs = Number(floorToMs(at));
  const rest = at - BigInt(epochMs) * NANOS_PER_MS;
  const anchor = work.clock.toLocal(epochMs);
  const start = openingFrom(work, anchor.day, anchor.clockMs);
  const moved = start.day !== anchor.day || start.clockMs !== anchor.clockMs;
  const kept = moved ? 0n : rest;
  if (duration.clock === 'business') {
    const day = shiftWorkdays(work, start.day, duration.days);
    return BigInt(work.clock.toInstant(day, start.clockMs)) * NANOS_PER_MS + kept;
  }
  const from = moved ? work.clock.toInstant(start.day, start.clockMs) : epochMs;
  return workedUntil(work, start.day, BigInt(from) * NANOS_PER_MS + kept, duration.nanos);
}

/** The instant by which `nanos` of working time have passed since `from`, an instant within the working time of `day`. */
function workedUntil(work: WorkTime, day: number, from: bigint, nanos: bigint): bigint {
  let [left, today, start] = [nanos, day, from];
  while (today < LAST_DAY) {
    const close = BigInt(work.clock.toInstant(today, work.closeMs)) * NANOS_PER_MS;
    if (close - start >= left) return start + left;
    if (close > start) left -= close - start;
    today = workdayFrom(work, today + 1);
    start = BigInt(work.clock.toInstant(today, work.openMs)) * NANOS_PER_MS;
  }
  return LAST;
}

function floorToMs(at: bigint): bigint {
  const ms = at / NANOS_PER_MS;
  return at % NANOS_PER_MS < 0n ? ms - 1n : ms;
}
