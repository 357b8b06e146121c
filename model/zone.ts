import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';

/** Milliseconds of a day on the clock. */
export const DAY_MS = 86_400_000;

/** Local days are counted from 1970-01-01 = 0, whatever the zone; local times are milliseconds since midnight on the clock. */
interface LocalTime {
  readonly day: number;
  readonly clockMs: number;
}

/** The clock of an IANA time zone: instants (epoch milliseconds) to local days and times, and back. */
export interface ZoneClock {
  toLocal(epochMs: number): LocalTime;
  /** The instant of a local time; one that the clock skips moves forward by the skipped time, one that it shows twice is the first. */
  toInstant(day: number, clockMs: number): number;
}

const DAYS_KEPT = 20_000;
const CLOCKS = new Map<string, ZoneClock>();

/**
 * The clock of `zone`. Offsets are asked of Temporal once a day and kept (20,000 days at most): a day without a change of
 * the clock is an addition. `zone` is a valid IANA name (model/company.ts checks it).
 */
export function zoneClock(zone: string): ZoneClock {
  let clock = CLOCKS.get(zone);
  if (!clock) {
    clock = zone === 'UTC' ? UTC : createClock(zone);
    CLOCKS.set(zone, clock);
  }
  return clock;
}

const UTC: ZoneClock = {
  toLocal: (epochMs) => {
    const day = Math.floor(epochMs / DAY_MS);
    return { day, clockMs: epochMs - day * DAY_MS };
  },
  toInstant: (day, clockMs) => day * DAY_MS + clockMs,
};

/** A value no offset has: the offset changes within the day. */
const CHANGES = Number.NaN;

function createClock(zone: string): ZoneClock {
  // By UTC day, the offset that holds from its start to its end; by local day likewise.
  const utcDays = new LRUCache<number, number>({ max: DAYS_KEPT });
  const localDays = new LRUCache<number, number>({ max: DAYS_KEPT });
  const offsetAt = (epochMs: number): number =>
    Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone).offsetNanoseconds / 1e6;

  const offsetOfUtcDay = (day: number): number => {
    let offset = utcDays.get(day);
    if (offset === undefined) {
      const start = offsetAt(day * DAY_MS);
      offset = start === offsetAt((day + 1) * DAY_MS) ? start : CHANGES;
      utcDays.set(day, offset);
    }
    return offset;
  };
  const startOf = (day: number): Temporal.ZonedDateTime => dateOfDay(day).toZonedDateTime(zone);
  const offsetOfLocalDay = (day: number): number => {
    let offset = localDays.get(day);
    if (offset === undefined) {
      const [start, end] = [startOf(day), startOf(day + 1)];
      const same = start.offsetNanoseconds === end.offsetNanoseconds;
      const whole = end.epochMilliseconds - start.epochMilliseconds === DAY_MS;
      offset = same && whole ? start.offsetNanoseconds / 1e6 : CHANGES;
      localDays.set(day, offset);
    }
    return offset;
  };

  return {
    toLocal(epochMs) {
      const known = offsetOfUtcDay(Math.floor(epochMs / DAY_MS));
      return UTC.toLocal(epochMs + (Number.isNaN(known) ? offsetAt(epochMs) : known));
    },
    toInstant(day, clockMs) {
      const known = offsetOfLocalDay(day);
      if (!Number.isNaN(known)) return day * DAY_MS + clockMs - known;
      const local = dateOfDay(day).toPlainDateTime().add({ milliseconds: clockMs });
      return local.toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds;
    },
  };
}

const dateOfDay = (day: number): Temporal.PlainDate => new Temporal.PlainDate(1970, 1, 1).add({ days: day });

/** The number of a calendar date, `1970-01-02` → 1. */
export const dayOfDate = (date: string): number => Math.round(Date.parse(`${date}T00:00:00Z`) / DAY_MS);

/** The calendar date of a day number. */
export const dateOfDayNumber = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
