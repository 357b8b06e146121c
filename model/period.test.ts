import { expect, test } from 'vitest';
import { company } from './company.ts';
import {
  boundsOf,
  closePeriodOf,
  closeWorkday,
  didClosingMove,
  isClosing,
  periodOf,
  shiftPeriod,
} from './period.ts';
import { formatInstant, parseInstant } from './time.ts';

const at = (text: string): bigint => parseInstant(text) as bigint;
const firm = (timezone: string) =>
  company.parse({ key: 'acme', timezone, calendar: { holidays: ['2027-01-01', '2026-12-25'] } });
const BRUSSELS = firm('Europe/Brussels');

test.each([
  ['Europe/Brussels', '2026-05', '2026-04-30T22:00:00Z', '2026-05-31T22:00:00Z'],
  ['America/New_York', '2026-03', '2026-03-01T05:00:00Z', '2026-04-01T04:00:00Z'],
  ['Pacific/Auckland', '2026-12', '2026-11-30T11:00:00Z', '2026-12-31T11:00:00Z'],
])('a period runs from midnight to midnight on the clock of %s', (zone, period, start, end) => {
  const bounds = boundsOf(period, firm(zone));
  expect([formatInstant(bounds.start), formatInstant(bounds.end)]).toEqual([start, end]);
  expect(periodOf(bounds.start, firm(zone))).toBe(period);
  expect(periodOf(bounds.start - 1n, firm(zone))).toBe(shiftPeriod(period, -1));
  expect(periodOf(bounds.end - 1n, firm(zone))).toBe(period);
});

test('periods follow each other over the year', () => {
  expect(shiftPeriod('2026-12', 1)).toBe('2027-01');
  expect(shiftPeriod('2026-01', -1)).toBe('2025-12');
  expect(shiftPeriod('2026-05', -17)).toBe('2024-12');
});

test.each([
  // 31 May 2026 is a Sunday.
  ['2026-05', -2, '2026-05-28'],
  ['2026-05', -1, '2026-05-29'],
  ['2026-05', 1, '2026-06-01'],
  ['2026-05', 15, '2026-06-19'],
  // 1 January is a holiday.
  ['2026-12', -1, '2026-12-31'],
  ['2026-12', 1, '2027-01-04'],
])('%s: WD%i is %s', (period, n, date) => {
  expect(closeWorkday(period, n, BRUSSELS)).toBe(date);
});

test.each([
  ['when WD-2 begins', '2026-05-27T21:59:59Z', '2026-05-27T22:00:00Z', true],
  ['not again after it', '2026-05-27T22:00:00Z', '2026-05-28T22:00:00Z', false],
  ['when WD15 ends', '2026-06-19T21:59:59Z', '2026-06-19T22:00:00Z', true],
  ['in between, however long', '2026-05-01T00:00:00Z', '2026-08-01T00:00:00Z', true],
])('the close moves %s', (_, since, now, moved) => {
  expect(didClosingMove(BRUSSELS, { since: at(since), now: at(now) })).toBe(moved);
});

test.each([
  ['before WD-2', '2026-05-27T21:59:59.999999999Z', undefined, false],
  ['from the start of WD-2', '2026-05-27T22:00:00Z', undefined, true],
  ['after the period', '2026-06-10T12:00:00Z', undefined, true],
  ['to the end of WD15', '2026-06-19T21:59:59Z', undefined, true],
  ['not after it, though nobody locked', '2026-06-19T22:00:00Z', undefined, false],
  ['until it is locked', '2026-06-04T11:59:59Z', '2026-06-04T12:00:00Z', true],
  ['not from then on', '2026-06-04T12:00:00Z', '2026-06-04T12:00:00Z', false],
])('May 2026 is closing %s: %s', (_, instant, locked, closing) => {
  expect(isClosing('2026-05', BRUSSELS, at(instant), locked ? at(locked) : undefined)).toBe(closing);
});

test.each([
  ['2026-05-27T12:00:00Z', '2026-05'],
  ['2026-06-01T00:00:00Z', '2026-05'],
  ['2026-06-19T21:59:59Z', '2026-05'],
  ['2026-06-19T22:00:00Z', '2026-06'],
])('at %s the close that is going on is that of %s', (instant, period) => {
  expect(closePeriodOf(at(instant), BRUSSELS)).toBe(period);
});
