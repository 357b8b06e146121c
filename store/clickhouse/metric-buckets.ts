import {
  type ExponentialBuckets,
  explicitIntervals,
  exponentialIntervals,
  type Interval,
  quantilesOf,
} from '../../model/distribution.ts';
import type { MetricBucket } from '../../model/metric.ts';

/** `aggregation_temporality`: each point counts from the start of its series. */
const CUMULATIVE = 2;

/** What one series has in one step; the step before the first one is -1. Rows come by series and step. */
export interface SeriesStep {
  readonly series: string;
  readonly step: number;
  readonly points: number;
  readonly temporality: number;
  /** Of the last point: when its series began and its time, seconds since 1970. */
  readonly lastStart: number;
  readonly lastTime: number;
}

export interface NumberStep extends SeriesStep {
  readonly monotonic: number;
  readonly total: number;
  readonly last: number;
  readonly min: number;
  readonly max: number;
}

/** Of a cumulative series what its last point says, else what its points come to. */
export interface DistributionStep extends SeriesStep {
  readonly count: number;
  readonly sum: number;
}

export interface HistogramStep extends DistributionStep {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

export interface ExponentialStep extends DistributionStep {
  readonly parts: readonly ExponentialBuckets[];
}

/** Where the steps lie: seconds since 1970. */
export interface Steps {
  readonly since: number;
  readonly step: number;
}

const NOTHING = { value: null, min: null, max: null, count: null, p50: null, p95: null, p99: null };
const QUANTILES = [0.5, 0.95, 0.99];

/**
 * The step before of the same series, from which a cumulative one counts on: undefined when it began anew or is there for the
 * first time since its start. `unknown` when nobody can tell what came in the step.
 */
function baseOf<Row extends SeriesStep>(
  row: Row,
  before: Row | undefined,
  fell: (before: Row) => boolean,
  { since, step }: Steps,
): Row | undefined | 'unknown' {
  if (row.temporality !== CUMULATIVE) return undefined;
  if (before && row.lastStart < before.lastTime && !fell(before)) return before;
  if (before) return undefined;
  return row.lastStart >= since + row.step * step ? undefined : 'unknown';
}

/** A row and the row of its series before it. */
type Followed<Row> = [row: Row, before: Row | undefined];

/** The rows of each step, in the order of time. */
function byStep<Row extends SeriesStep>(rows: readonly Row[]): [step: number, rows: Followed<Row>[]][] {
  const followed = rows.map((row, i): Followed<Row> => {
    const before = rows[i - 1];
    return [row, before?.series === row.series ? before : undefined];
  });
  const steps = Map.groupBy(followed, ([row]) => row.step);
  return [...steps].filter(([step]) => step >= 0).sort(([a], [b]) => a - b);
}

const sumOf = <T>(list: readonly T[], value: (one: T) => number): number =>
  list.reduce((sum, one) => sum + value(one), 0);
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const pointsOf = (rows: readonly [SeriesStep, unknown][]): number => sumOf(rows, ([row]) => row.points);

export const gaugeBuckets = (all: readonly NumberStep[], steps: Steps): MetricBucket[] =>
  byStep(all).map(([step, rows]) => ({
    ...NOTHING,
    at: steps.since + step * steps.step,
    points: pointsOf(rows),
    value: finite(sumOf(rows, ([row]) => row.last) / rows.length),
    min: rows.reduce((least, [row]) => Math.min(least, row.min), Number.POSITIVE_INFINITY),
    max: rows.reduce((most, [row]) => Math.max(most, row.max), Number.NEGATIVE_INFINITY),
  }));

export function sumBuckets(all: readonly NumberStep[], steps: Steps): MetricBucket[] {
  return byStep(all).map(([step, rows]) => {
    const added = rows.flatMap(([row, before]) => {
      if (row.temporality !== CUMULATIVE) return [row.total];
      if (row.monotonic === 0) return [row.last];
      const base = baseOf(row, before, ({ last }) => row.last < last, steps);
      return base === 'unknown' ? [] : [row.last - (base?.last ?? 0)];
    });
    return {
      ...NOTHING,
      at: steps.since + step * steps.step,
      points: pointsOf(rows),
      value: added.length === 0 ? null : finite(sumOf(added, (one) => one)),
    };
  });
}

export const histogramBuckets = (all: readonly HistogramStep[], steps: Steps): MetricBucket[] =>
  distributionBuckets(all, steps, (measured) =>
    measured.flatMap(([row, base]) => {
      const same = base !== undefined && String(base.bounds) === String(row.bounds);
      return explicitIntervals(
        row.bounds,
        row.counts.map((count, i) => count - (same ? (base.counts[i] ?? 0) : 0)),
      );
    }),
  );

export const exponentialBuckets = (all: readonly ExponentialStep[], steps: Steps): MetricBucket[] =>
  distributionBuckets(all, steps, (measured) =>
    exponentialIntervals(
      measured.flatMap(([row, base]) => [...row.parts, ...(base?.parts ?? []).map(negated)]),
    ),
  );

/** Summaries have quantiles of their own, which cannot be brought together. */
export const summaryBuckets = (all: readonly DistributionStep[], steps: Steps): MetricBucket[] =>
  distributionBuckets(
    // The data model has summaries count from their start, without saying so.
    all.map((row) => ({ ...row, temporality: CUMULATIVE })),
    steps,
    () => [],
  );

const negated = (buckets: ExponentialBuckets): ExponentialBuckets => ({
  ...buckets,
  zeroCount: -buckets.zeroCount,
  positive: buckets.positive.map((count) => -count),
  negative: buckets.negative.map((count) => -count),
});

function distributionBuckets<Row extends DistributionStep>(
  all: readonly Row[],
  steps: Steps,
  intervals: (measured: Followed<Row>[]) => Interval[],
): MetricBucket[] {
  return byStep(all).map(([step, rows]) => {
    const measured = rows.flatMap(([row, before]): Followed<Row>[] => {
      const base = baseOf(row, before, ({ count }) => row.count < count, steps);
      return base === 'unknown' ? [] : [[row, base]];
    });
    const count = sumOf(measured, ([row, base]) => row.count - (base?.count ?? 0));
    const sum = sumOf(measured, ([row, base]) => row.sum - (base?.sum ?? 0));
    const [p50 = null, p95 = null, p99 = null] = quantilesOf(intervals(measured), QUANTILES);
    return {
      ...NOTHING,
      at: steps.since + step * steps.step,
      points: pointsOf(rows),
      value: count > 0 ? finite(sum / count) : null,
      count: measured.length === 0 ? null : count,
      p50,
      p95,
      p99,
    };
  });
}
