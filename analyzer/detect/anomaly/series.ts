import { medianOf, RunningSpread } from './running.ts';

/** What is said of one value of a series. */
export interface SeriesVerdict {
  /** How unusual it is; from `ONSET` on an anomaly begins. 0 while too little is known. */
  readonly score: number;
  /** What was expected, of earlier values alone. */
  readonly baseline: number;
  /** Where three of a thousand usual values do not lie. */
  readonly interval: readonly [number, number];
  /** Earlier values that this rests on. */
  readonly n: number;
  /** Does an anomaly begin here? */
  readonly onset: boolean;
  /** Is one going on? */
  readonly anomalous: boolean;
  /** One sentence: which way of looking found it. */
  why(): string;
}

/** An anomaly begins at this score, whatever the series. */
export const ONSET = 3.6;
/** It ends below this share of it: what hovers about the limit is one anomaly. */
const HYSTERESIS = 0.7;
/** Values after an onset within which no other begins. */
const REFRACTORY = 144;

/** Values that the spreads remember. */
const MEMORY = 2000;
/** Values that the smoothed ways of looking take together. */
const SPANS = [6, 24, 72] as const;
const DAY_MS = 86_400_000;
/** Parts of a day that have a value of their own as usual; a coarser series has fewer. */
const PARTS_OF_A_DAY = 288;
/** Days that the usual value of a time of day is the median of, and those that it takes. */
const DAYS = 14;
const LEAST_DAYS = 3;
/** Values of which the distances tell the step of the series. */
const STEPS_SEEN = 500;
/** A spread is never taken as less than these shares of the level and of its spread: a flat line is not endlessly sure. */
const LEVEL_FLOOR = 0.02;
const SPREAD_FLOOR = 0.05;
const SMOOTH_FLOOR = 0.1;
/** The scale of a single residual beside the smoothed ones. */
const SINGLE_SCALE = 0.45;
/** A peak of scores is remembered by half for so many values, and takes this share off those that follow: bursts that a series always had are its usual. */
const PEAK_HALF_LIFE = 1000;
const PEAK_SHARE = 0.5;
/** Values before which nothing is said. */
const SETTLING = 20;

/** A smoothed way of looking: the residuals of some values together, against how far they usually stray. */
class Smoothed {
  readonly spread = new RunningSpread(MEMORY);
  readonly span: number;
  value = 0;

  constructor(span: number) {
    this.span = span;
  }

  z(residual: number): number {
    this.value += (residual - this.value) / this.span;
    return Math.abs(this.spread.z(this.value, SMOOTH_FLOOR));
  }
}

/** What is known of how the residuals stray. */
interface Look {
  readonly residuals: RunningSpread;
  readonly smoothed: readonly Smoothed[];
  readonly bursts: Smoothed;
  /** Scores that are not past yet: what belongs to one anomaly must not hide its own rise. */
  readonly delayed: number[];
  peak: number;
  count: number;
}

const newLook = (): Look => ({
  residuals: new RunningSpread(MEMORY),
  smoothed: SPANS.map((span) => new Smoothed(span)),
  bursts: new Smoothed(SPANS[1]),
  delayed: [],
  peak: 0,
  count: 0,
});

function learn(look: Look, score: number, residual: number): void {
  look.count += 1;
  if (look.count > SETTLING) for (const way of [...look.smoothed, look.bursts]) way.spread.add(way.value);
  look.residuals.add(residual);
  look.delayed.push(score);
  look.peak *= 0.5 ** (1 / PEAK_HALF_LIFE);
  if (look.delayed.length > REFRACTORY) look.peak = Math.max(look.peak, look.delayed.shift() as number);
}

export interface SeriesDetector {
  /** Judges the next value by those before it, and remembers it. `at`: epoch milliseconds, rising. */
  observe(at: number, value: number): SeriesVerdict;
}

/**
 * Watches a series of numbers for spikes, shifts of level, changes of daily shape and bursts. Each value is held against the
 * usual one of its time of day, alone and smoothed over 6, 24 and 72 values; the largest deviation is the score, less half of the
 * recent peak of scores, so that a series is measured by how it always was. The same limits for every series. A value is
 * never in its own baseline. `stepMs` is the usual distance of two values; left out, the first ones tell it.
 */
export function createSeriesDetector(options: { stepMs?: number } = {}): SeriesDetector {
  const level = new RunningSpread(MEMORY);
  let look = newLook();
  const ways = ['alone', ...SPANS.map((span) => `over ${span} values`), 'by its bursts'];
  const profile = new Map<number, number[]>();
  const steps: number[] = [];
  let [sinceOnset, last, count] = [Number.POSITIVE_INFINITY, Number.NaN, 0];
  let [anomalous, wasSeasonal] = [false, false];
  let partMs = options.stepMs === undefined ? undefined : partOf(options.stepMs);
  const pending: [at: number, value: number][] = [];

  /** Remembers the value of a time of day, once it is known how long a part of a day is. */
  function remember(at: number, value: number): void {
    if (partMs === undefined) {
      pending.push([at, value]);
      if (Number.isFinite(at - last)) steps.push(at - last);
      if (steps.length < STEPS_SEEN) return;
      partMs = partOf(medianOf(steps));
      for (const [then, earlier] of pending) keep(then, earlier);
      pending.length = 0;
      return;
    }
    keep(at, value);
  }

  function keep(at: number, value: number): void {
    const part = partAt(at);
    const known = profile.get(part) ?? [];
    known.push(value);
    if (known.length > DAYS) known.shift();
    profile.set(part, known);
  }

  const partAt = (at: number): number => Math.floor((((at % DAY_MS) + DAY_MS) % DAY_MS) / (partMs ?? DAY_MS));

  return {
    observe(at, value) {
      const known = partMs === undefined ? undefined : profile.get(partAt(at));
      const isSeasonal = known !== undefined && known.length >= LEAST_DAYS;
      const baseline = isSeasonal ? medianOf(known) : count === 0 ? value : level.location;
      // What strays from the usual of a time of day is another thing than what strays from the level: it is learned anew.
      if (isSeasonal && !wasSeasonal) look = newLook();
      wasSeasonal ||= isSeasonal;
      const floor = Math.max(LEVEL_FLOOR * Math.abs(level.location), SPREAD_FLOOR * level.spread);
      const residual = value - baseline;
      const z = isSeasonal ? look.residuals.z(residual, floor) : level.z(value, floor);
      const compressed = Math.sign(z) * Math.log1p(Math.abs(z));
      const deviations = [
        Math.abs(compressed) / SINGLE_SCALE,
        ...look.smoothed.map((way) => way.z(compressed)),
        look.bursts.z(Math.abs(compressed)),
      ];
      const most = deviations.reduce(
        (best, one, index) => (one > (deviations[best] as number) ? index : best),
        0,
      );
      const whole = deviations[most] as number;
      const score = look.count < SETTLING ? 0 : Math.max(0, whole - PEAK_SHARE * look.peak);
      const spread = Math.max(isSeasonal ? look.residuals.spread : level.spread, floor);
      const verdict = {
        score,
        baseline,
        interval: [baseline - 3 * spread, baseline + 3 * spread] as const,
        n: count,
        ...state(score),
        why: () =>
          `${value} ${ways[most]} is not as usual: ${round(baseline)} was expected${isSeasonal ? ' at this time of day' : ''}, ${round(baseline - 3 * spread)} to ${round(baseline + 3 * spread)} is usual`,
      };

      learn(look, whole, residual);
      level.add(value);
      remember(at, value);
      last = at;
      count += 1;
      return verdict;
    },
  };

  function state(score: number): { onset: boolean; anomalous: boolean } {
    sinceOnset += 1;
    const onset = !anomalous && score >= ONSET && sinceOnset >= REFRACTORY;
    if (onset) {
      anomalous = true;
      sinceOnset = 0;
    } else if (anomalous && score < HYSTERESIS * ONSET) anomalous = false;
    return { onset, anomalous };
  }
}

const partOf = (stepMs: number): number =>
  DAY_MS / Math.max(1, Math.min(PARTS_OF_A_DAY, Math.round(DAY_MS / Math.max(1, stepMs))));

const round = (value: number): string => `${Number(value.toPrecision(6))}`;
