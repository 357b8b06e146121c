import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import { addDuration } from './business-time.ts';
import { type Company, company as companySchema } from './company.ts';
import { type Duration, parseDuration } from './duration.ts';
import { formatInstant, parseInstant } from './time.ts';

const duration = (text: string): Duration => parseDuration(text) as Duration;
const at = (text: string): bigint => parseInstant(text) as bigint;
const firm = (timezone: string, calendar: object = {}): Company =>
  companySchema.parse({ key: 'acme', timezone, calendar });

const HOURS = { hours: { from: '09:00', to: '17:00' } };
const BRUSSELS = firm('Europe/Brussels', { holidays: ['2026-12-25', '2027-01-01'] });
const OFFICE = firm('Europe/Brussels', { ...HOURS, holidays: ['2026-12-25'] });
const NEW_YORK = firm('America/New_York');
const AUCKLAND = firm('Pacific/Auckland');

test.each([
  // Elapsed time is exact, whatever the clock does.
  ['elapsed, over the change to summer time', BRUSSELS, '2026-03-28T12:00:00Z', '1d', '2026-03-29T12:00:00Z'],
  [
    'elapsed, to the nanosecond',
    BRUSSELS,
    '2026-01-01T00:00:00.000000001Z',
    '14d',
    '2026-01-15T00:00:00.000000001Z',
  ],
  // Business days keep the local time.
  ['three days over a weekend', BRUSSELS, '2026-05-28T08:30:00Z', '3bd', '2026-06-02T08:30:00Z'],
  [
    'change to summer time: 10:00 +01:00 → 10:00 +02:00',
    BRUSSELS,
    '2026-03-27T09:00:00Z',
    '1bd',
    '2026-03-30T08:00:00Z',
  ],
  [
    'change to winter time: 10:00 +02:00 → 10:00 +01:00',
    BRUSSELS,
    '2026-10-23T08:00:00Z',
    '1bd',
    '2026-10-26T09:00:00Z',
  ],
  ['the same in New York', NEW_YORK, '2026-03-06T15:00:00Z', '1bd', '2026-03-09T14:00:00Z'],
  ['and where summer ends in April', AUCKLAND, '2026-04-02T21:00:00Z', '1bd', '2026-04-05T22:00:00Z'],
  [
    'a fraction of a second is kept',
    BRUSSELS,
    '2026-05-28T08:30:00.123456789Z',
    '1bd',
    '2026-05-29T08:30:00.123456789Z',
  ],
  ['year end and two holidays', BRUSSELS, '2026-12-24T10:00:00Z', '5bd', '2027-01-04T10:00:00Z'],
  [
    'from a Saturday it counts from Monday 00:00',
    BRUSSELS,
    '2026-05-30T10:00:00Z',
    '1bd',
    '2026-06-01T22:00:00Z',
  ],
  ['from a holiday likewise', BRUSSELS, '2026-12-25T10:00:00Z', '1bd', '2026-12-28T23:00:00Z'],
  [
    'from a Saturday, no days at all: the opening',
    BRUSSELS,
    '2026-05-30T10:00:00Z',
    '0bd',
    '2026-05-31T22:00:00Z',
  ],
  ['before hours it counts from the opening', OFFICE, '2026-05-28T05:00:00Z', '1bd', '2026-05-29T07:00:00Z'],
  [
    'after hours it counts from the next opening',
    OFFICE,
    '2026-05-28T18:00:00Z',
    '1bd',
    '2026-06-01T07:00:00Z',
  ],
  ['closing time is outside', OFFICE, '2026-05-28T15:00:00Z', '1bd', '2026-06-01T07:00:00Z'],
  [
    'a day in the zone, not in UTC: 23:30 UTC on Sunday is Monday',
    BRUSSELS,
    '2026-05-31T23:30:00Z',
    '1bd',
    '2026-06-01T23:30:00Z',
  ],
  // Business hours count working time only.
  ['hours within a day', OFFICE, '2026-05-28T08:00:00Z', '3bh', '2026-05-28T11:00:00Z'],
  ['hours to the very end of the day', OFFICE, '2026-05-28T08:00:00Z', '7bh', '2026-05-28T15:00:00Z'],
  ['hours over night and weekend', OFFICE, '2026-05-29T14:00:00Z', '2bh', '2026-06-01T08:00:00Z'],
  ['hours from outside', OFFICE, '2026-05-30T10:00:00Z', '2bh', '2026-06-01T09:00:00Z'],
  [
    'without hours, a day of 23 hours',
    firm('Europe/Brussels', { workdays: [1, 2, 3, 4, 5, 6, 7] }),
    '2026-03-28T23:00:00Z',
    '24bh',
    '2026-03-29T23:00:00Z',
  ],
])('%s', (_, company, from, allowed, due) => {
  expect(formatInstant(addDuration(at(from), duration(allowed), company))).toBe(due);
});

test('a local time that the clock skips moves forward by the skipped hour', () => {
  const daily = firm('Europe/Brussels', { workdays: [1, 2, 3, 4, 5, 6, 7] });
  // 02:30 on 28 March 2026; on the 29th 02:30 does not exist and becomes 03:30 +02:00.
  expect(formatInstant(addDuration(at('2026-03-28T01:30:00Z'), duration('1bd'), daily))).toBe(
    '2026-03-29T01:30:00Z',
  );
});

test('a local time that the clock shows twice is the first of the two', () => {
  const daily = firm('Europe/Brussels', { workdays: [1, 2, 3, 4, 5, 6, 7] });
  expect(formatInstant(addDuration(at('2026-10-24T00:30:00Z'), duration('1bd'), daily))).toBe(
    '2026-10-25T00:30:00Z',
  );
});

test('nothing is due after the end of 64-bit nanoseconds', () => {
  expect(addDuration(at('2026-01-01T00:00:00Z'), duration('999999w'), BRUSSELS)).toBe(2n ** 63n - 1n);
});

/** The plain reading of the definition, in Temporal alone. */
function slowBusinessDays(from: bigint, days: number, company: Company): bigint {
  const { timezone, calendar } = company;
  const worked = (date: Temporal.PlainDate) =>
    calendar.workdays.includes(date.dayOfWeek) && !calendar.holidays.includes(date.toString());
  const local = Temporal.Instant.fromEpochNanoseconds(from).toZonedDateTimeISO(timezone);
  let [date, time] = [local.toPlainDate(), local.toPlainTime()];
  if (!worked(date)) {
    time = new Temporal.PlainTime();
    while (!worked(date)) date = date.add({ days: 1 });
  }
  for (let left = days; left > 0; ) {
    date = date.add({ days: 1 });
    if (worked(date)) left -= 1;
  }
  return date.toPlainDateTime(time).toZonedDateTime(timezone, { disambiguation: 'compatible' })
    .epochNanoseconds;
}

test('business days agree with Temporal at any instant, in five zones', () => {
  const zones = [
    'Europe/Brussels',
    'America/New_York',
    'Pacific/Auckland',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
  ];
  const companies = zones.map((zone) => firm(zone, { holidays: ['2026-12-25', '2026-05-01', '2026-03-30'] }));
  fc.assert(
    fc.property(
      fc.constantFrom(...companies),
      fc.bigInt({ min: at('2025-12-01T00:00:00Z'), max: at('2027-02-01T00:00:00Z') }),
      fc.integer({ min: 0, max: 12 }),
      (company, from, days) => {
        const due = addDuration(from, duration(`${days}bd`), company);
        expect(due).toBe(slowBusinessDays(from, days, company));
      },
    ),
    { numRuns: 300 },
  );
});
