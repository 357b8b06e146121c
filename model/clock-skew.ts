/** What came of a source within one minute of our clock: how long after its own time the quickest of it arrived. */
export interface DelaySlot {
  /** Minutes since 1970 on our clock. */
  readonly minute: number;
  readonly records: number;
  /** How many times something came together, and how many of them from ahead of our clock. */
  readonly arrivals: number;
  readonly ahead: number;
  /** The least (arrival − the sender's time), milliseconds. */
  readonly leastMs: number;
}

/**
 * `ahead`: the sender's clock runs ahead of ours, for nothing arrives before it happened. `late-or-behind`: nothing came
 * sooner than this; a clock that is behind looks the same as data that are always late. `in-step`: something came within two
 * seconds. `unknown`: it cannot be told.
 */
export const CLOCK_STATES = ['in-step', 'ahead', 'late-or-behind', 'unknown'] as const;
export type ClockState = (typeof CLOCK_STATES)[number];

/** What the delays of the last minutes tell of a sender's clock. */
export interface ClockReading {
  readonly state: ClockState;
  /** How far the sender's clock is ahead of ours, milliseconds; negative: late or behind by at least so much. */
  readonly skewMs: number;
  readonly confidence: 'low' | 'high';
  readonly records: number;
  /** The minutes that it is read from, epoch milliseconds. */
  readonly from: number;
  readonly to: number;
}

const MINUTE_MS = 60_000;
/** So many minutes are looked back on. */
export const WINDOW_MINUTES = 15;
/** What networks and batches take is no skew. */
const AHEAD_MS = 2_000;
const BEHIND_MS = 5 * MINUTE_MS;
/** A constant offset is told from one late delivery by so many records, over so many minutes. */
const ENOUGH_RECORDS = 100;
const ENOUGH_MINUTES = 5;
/** One odd date is no clock. */
const ENOUGH_AHEAD = 3;

/**
 * The window with what arrived at `at` (epoch ms), whose newest record was `leastMs` old then; slots older than 15 minutes
 * are gone. Only of live data: history is late by its nature.
 */
export function noteDelay(
  window: readonly DelaySlot[],
  at: number,
  arrived: { readonly records: number; readonly leastMs: number },
): DelaySlot[] {
  const minute = Math.floor(at / MINUTE_MS);
  const kept = window.filter((slot) => slot.minute > minute - WINDOW_MINUTES && slot.minute !== minute);
  const before = window.find((slot) => slot.minute === minute);
  return [
    ...kept,
    {
      minute,
      records: (before?.records ?? 0) + arrived.records,
      arrivals: (before?.arrivals ?? 0) + 1,
      ahead: (before?.ahead ?? 0) + (arrived.leastMs < -AHEAD_MS ? 1 : 0),
      leastMs: Math.min(before?.leastMs ?? Number.POSITIVE_INFINITY, arrived.leastMs),
    },
  ];
}

/** What the last 15 minutes before `now` (epoch ms) tell of the sender's clock; undefined when nothing came in them. */
export function readClock(window: readonly DelaySlot[], now: number): ClockReading | undefined {
  const minute = Math.floor(now / MINUTE_MS);
  const slots = window.filter((slot) => slot.minute > minute - WINDOW_MINUTES && slot.minute <= minute);
  if (slots.length === 0) return undefined;
  const minutes = slots.map((slot) => slot.minute);
  const [first, last] = [Math.min(...minutes), Math.max(...minutes)];
  const records = slots.reduce((sum, slot) => sum + slot.records, 0);
  const ahead = slots.reduce((sum, slot) => sum + slot.ahead, 0);
  const leastMs = Math.min(...slots.map((slot) => slot.leastMs));
  const reading = {
    skewMs: leastMs === 0 ? 0 : -leastMs,
    records,
    from: first * MINUTE_MS,
    to: (last + 1) * MINUTE_MS,
  };
  if (leastMs < -AHEAD_MS)
    return { ...reading, state: 'ahead', confidence: ahead >= ENOUGH_AHEAD ? 'high' : 'low' };
  if (leastMs <= AHEAD_MS)
    return { ...reading, state: 'in-step', confidence: records >= ENOUGH_RECORDS ? 'high' : 'low' };
  const lasts = records >= ENOUGH_RECORDS && last - first + 1 >= ENOUGH_MINUTES;
  return {
    ...reading,
    state: lasts && leastMs > BEHIND_MS ? 'late-or-behind' : 'unknown',
    confidence: 'low',
  };
}
