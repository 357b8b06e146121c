export const METRIC_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;
export type MetricKind = (typeof METRIC_KINDS)[number];

/** What was measured in one step of time, of all series of a metric together. What cannot be told is null. */
export interface MetricBucket {
  /** Where the step begins, seconds since 1970. */
  readonly at: number;
  /** Data points in it. */
  readonly points: number;
  /**
   * Gauge: the mean of each series' last value. Sum: what was added in the step, or, when it may also fall and is
   * cumulative, the sum of each series' last value. Distributions: the mean of what was measured.
   */
  readonly value: number | null;
  /** Of a gauge's points. */
  readonly min: number | null;
  readonly max: number | null;
  /** Measurements of a distribution, and quantiles of them by interpolation within a bucket of the histogram. */
  readonly count: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** A metric over time. */
export interface MetricSeries {
  readonly name: string;
  readonly kind: MetricKind;
  readonly description: string;
  /** UCUM. */
  readonly unit: string;
  /** Steps in which anything was measured, in the order of time. */
  readonly buckets: readonly MetricBucket[];
  /** There was more than is read at once: the buckets are of some of it. */
  readonly truncated: boolean;
}
