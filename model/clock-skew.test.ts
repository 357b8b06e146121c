import { expect, test } from 'vitest';
import { type DelaySlot, noteDelay, readClock } from './clock-skew.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 4, 15, 12);

/** A window that has heard `records` records `leastMs` old at each of the minutes before now. */
const heard = (...said: { ago: number; records?: number; leastMs: number; times?: number }[]): DelaySlot[] =>
  said
    .toSorted((a, b) => b.ago - a.ago)
    .reduce<DelaySlot[]>((window, { ago, records = 1, leastMs, times = 1 }) => {
      for (let n = 0; n < times; n++) window = noteDelay(window, NOW - ago * MINUTE, { records, leastMs });
      return window;
    }, []);
const steady = (leastMs: number, records: number, minutes = 10) =>
  heard(...Array.from({ length: minutes }, (_, ago) => ({ ago, records, leastMs })));

test.each([
  ['a delay of half a second', steady(500, 50), 'in-step', -500, 'high'],
  ['few records', heard({ ago: 0, leastMs: 40 }), 'in-step', -40, 'low'],
  ['slightly ahead, within what clocks differ by', steady(-1_999, 50), 'in-step', 1_999, 'high'],
  ['ahead by seven seconds, all the time', steady(-7_000, 1), 'ahead', 7_000, 'high'],
  [
    'one odd date among many records',
    [...steady(500, 50), ...heard({ ago: 11, leastMs: -90_000 })],
    'ahead',
    90_000,
    'low',
  ],
  ['three of one minute', heard({ ago: 1, leastMs: -3_000, times: 3 }), 'ahead', 3_000, 'high'],
  ['a minute late all the time', steady(60_000, 50), 'unknown', -60_000, 'low'],
  ['exactly five minutes late', steady(5 * MINUTE, 50), 'unknown', -5 * MINUTE, 'low'],
  ['an hour late all the time', steady(60 * MINUTE, 10), 'late-or-behind', -60 * MINUTE, 'low'],
  ['too few to say so', steady(60 * MINUTE, 9), 'unknown', -60 * MINUTE, 'low'],
  [
    'one late delivery of many',
    heard({ ago: 0, records: 5_000, leastMs: 60 * MINUTE }),
    'unknown',
    -60 * MINUTE,
    'low',
  ],
  [
    'an hour late but for one',
    [...steady(60 * MINUTE, 50), ...heard({ ago: 12, leastMs: 900 })],
    'in-step',
    -900,
    'high',
  ],
] as const)('%s', (_, window, state, skewMs, confidence) => {
  expect(readClock(window, NOW)).toMatchObject({ state, skewMs, confidence });
});

test('what is older than 15 minutes counts no more, and nothing is read of nothing', () => {
  const window = heard({ ago: 20, leastMs: -90_000, times: 5 });
  expect(readClock(window, NOW)).toBeUndefined();
  const later = noteDelay(window, NOW, { records: 3, leastMs: 100 });
  expect(later).toHaveLength(1);
  expect(readClock(later, NOW)).toEqual({
    state: 'in-step',
    skewMs: -100,
    confidence: 'low',
    records: 3,
    from: NOW,
    to: NOW + MINUTE,
  });
});

test('the window is bounded however much comes', () => {
  let window: DelaySlot[] = [];
  for (let n = 0; n < 5_000; n++) window = noteDelay(window, NOW + n * 1_000, { records: 1, leastMs: n });
  expect(window).toHaveLength(15);
});
