import { z } from 'zod';
import { ClosewatchError } from '../../model/errors.ts';
import { METRIC_KINDS, type MetricBucket, type MetricKind, type MetricSeries } from '../../model/metric.ts';
import type { ClickHouse } from './client.ts';
import {
  exponentialBuckets,
  gaugeBuckets,
  histogramBuckets,
  type SeriesStep,
  type Steps,
  sumBuckets,
  summaryBuckets,
} from './metric-buckets.ts';
import { defineQuery, type NamedQuery } from './query.ts';

/** Which metric, and when: instants and the step in whole seconds, `until` excluded. */
export interface MetricQuestion {
  readonly name: string;
  /** Of every service when left out. */
  readonly service?: string | undefined;
  readonly since: number;
  readonly until: number;
  readonly step: number;
}

export const MAX_STEPS = 1000;
/** A DateTime has no room for later seconds. */
const END_OF_TIME = 2 ** 32 - 1;
/** Rows, one for each series and step, that are read at most; the parts of one that are merged at most. */
const MAX_ROWS = 50_000;
const MAX_PARTS = 1000;

const TABLES: Record<MetricKind, string> = {
  gauge: 'otel_metrics_gauge',
  sum: 'otel_metrics_sum',
  histogram: 'otel_metrics_histogram',
  exponentialHistogram: 'otel_metrics_exp_histogram',
  summary: 'otel_metrics_summary',
};

const params = z.object({
  name: z.string(),
  service: z.string(),
  since: z.int(),
  from: z.int().nonnegative(),
  until: z.int(),
  step: z.int().positive(),
  limit: z.int(),
});
type Params = z.infer<typeof params>;

/** Points that say that there was no measurement (flag 1) are none. */
const WHERE = `MetricName = {name:String} AND (empty({service:String}) OR ServiceName = {service:String})
    AND TimeUnix >= fromUnixTimestamp({from:Int64}) AND TimeUnix < fromUnixTimestamp({until:Int64}) AND bitAnd(Flags, 1) = 0`;
const SERIES = 'cityHash64(ServiceName, ResourceAttributes, ScopeName, ScopeVersion, Attributes)';

const kinds = defineQuery({
  name: 'metrics.kinds',
  sql: METRIC_KINDS.map(
    (kind) => `SELECT '${kind}' AS kind, any(MetricDescription) AS description, any(MetricUnit) AS unit
    FROM ${TABLES[kind]} WHERE ${WHERE} HAVING count() > 0`,
  ).join('\nUNION ALL '),
  params,
  row: z.object({ kind: z.enum(METRIC_KINDS), description: z.string(), unit: z.string() }),
});

/**
 * A row for each series and step: `own`, of points each taken once however often it was sent. `columns` are what the points of a
 * kind have, `keys` those of them that a row has one value of.
 */
const steps = (kind: MetricKind, columns: string, own: string, { keys = '', where = '' } = {}): string => `
SELECT toString(series) AS series, step, count() AS points, toUnixTimestamp(argMax(StartTimeUnix, TimeUnix)) AS lastStart,
  toUnixTimestamp(max(TimeUnix)) AS lastTime, ${own}
FROM (
  SELECT ${SERIES} AS series, toInt32(floor((toInt64(toUnixTimestamp(TimeUnix)) - {since:Int64}) / {step:Int64})) AS step,
    StartTimeUnix, TimeUnix, ${columns}
  FROM ${TABLES[kind]} WHERE ${WHERE} ${where}
  LIMIT 1 BY series, StartTimeUnix, TimeUnix, ${columns}
) GROUP BY series, step ${keys} ORDER BY series, step ${keys} LIMIT {limit:UInt32}
SETTINGS output_format_json_quote_denormals = 1`;

/** JSON has no number for what is not finite. */
const double = z.union([
  z.number(),
  z
    .enum(['inf', '-inf', 'nan', '-nan'])
    .transform((text) => Number(text.replace('inf', 'Infinity').replace(/-?nan/, 'NaN'))),
]);
const doubles = z.array(double);
const stepRow = {
  series: z.string(),
  step: z.number(),
  points: z.coerce.number(),
  lastStart: z.number(),
  lastTime: z.number(),
  temporality: z.number(),
};
const numberRow = z.object({
  ...stepRow,
  monotonic: z.number(),
  total: double,
  last: double,
  min: double,
  max: double,
});
const distributionRow = z.object({ ...stepRow, count: z.number(), sum: double });
const histogramRow = distributionRow.extend({ bounds: doubles, counts: z.array(z.number()) });
const exponentialRow = distributionRow.extend({
  parts: z.array(
    z
      .tuple([z.number(), z.number(), z.number(), z.array(z.number()), z.number(), z.array(z.number())])
      .transform(([scale, zeroCount, positiveOffset, positive, negativeOffset, negative]) => ({
        scale,
        zeroCount,
        positiveOffset,
        positive,
        negativeOffset,
        negative,
      })),
  ),
});

const NUMBERS = 'sum(Value) AS total, argMax(Value, TimeUnix) AS last, min(Value) AS min, max(Value) AS max';
const FINITE = { where: 'AND isFinite(Value)' };
const gauges = defineQuery({
  name: 'metrics.gauge',
  sql: steps('gauge', 'Value', `0 AS temporality, 0 AS monotonic, ${NUMBERS}`, FINITE),
  params,
  row: numberRow,
});
const sums = defineQuery({
  name: 'metrics.sum',
  sql: steps(
    'sum',
    'Value, AggregationTemporality, IsMonotonic',
    `AggregationTemporality AS temporality, toUInt8(IsMonotonic) AS monotonic, ${NUMBERS}`,
    { keys: ', AggregationTemporality, IsMonotonic', ...FINITE },
  ),
  params,
  row: numberRow,
});

/** Of a cumulative series the last point, of any other the sum; counts as doubles, which JSON has. */
const OF_STEP = `AggregationTemporality AS temporality,
  toFloat64(if(temporality = 2, argMax(Count, TimeUnix), sum(Count))) AS count,
  if(temporality = 2, argMax(Sum, TimeUnix), sum(Sum)) AS sum`;
const histograms = defineQuery({
  name: 'metrics.histogram',
  sql: steps(
    'histogram',
    'Count, Sum, ExplicitBounds, BucketCounts, AggregationTemporality',
    `${OF_STEP}, ExplicitBounds AS bounds, arrayMap(count -> toFloat64(count),
      if(temporality = 2, argMax(BucketCounts, TimeUnix), sumForEach(BucketCounts))) AS counts`,
    { keys: ', AggregationTemporality, ExplicitBounds' },
  ),
  params,
  row: histogramRow,
});

const floats = (column: string): string => `arrayMap(count -> toFloat64(count), ${column})`;
const PART = `(Scale, toFloat64(ZeroCount), PositiveOffset, ${floats('PositiveBucketCounts')}, NegativeOffset,
  ${floats('NegativeBucketCounts')})`;
const exponentials = defineQuery({
  name: 'metrics.exponential-histogram',
  sql: steps(
    'exponentialHistogram',
    `Count, Sum, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts, NegativeOffset, NegativeBucketCounts,
    AggregationTemporality`,
    `${OF_STEP},
  if(temporality = 2, [argMax(${PART}, TimeUnix)], groupArray(${MAX_PARTS})(${PART})) AS parts`,
    { keys: ', AggregationTemporality' },
  ),
  params,
  row: exponentialRow,
});
const summaries = defineQuery({
  name: 'metrics.summary',
  sql: steps(
    'summary',
    'Count, Sum',
    '2 AS temporality, toFloat64(argMax(Count, TimeUnix)) AS count, argMax(Sum, TimeUnix) AS sum',
  ),
  params,
  row: distributionRow,
});

type Read = (
  clickhouse: ClickHouse,
  asked: Params,
  where: Steps,
) => Promise<{ buckets: MetricBucket[]; truncated: boolean }>;

const reading =
  <Row extends SeriesStep>(
    query: NamedQuery<Params, Row>,
    buckets: (rows: Row[], steps: Steps) => MetricBucket[],
  ): Read =>
  async (clickhouse, asked, where) => {
    const rows = await clickhouse.query(query, asked);
    return { buckets: buckets(rows.slice(0, MAX_ROWS), where), truncated: rows.length > MAX_ROWS };
  };

const READS: Record<MetricKind, Read> = {
  gauge: reading(gauges, gaugeBuckets),
  sum: reading(sums, sumBuckets),
  histogram: reading(histograms, histogramBuckets),
  exponentialHistogram: reading(exponentials, exponentialBuckets),
  summary: reading(summaries, summaryBuckets),
};

/**
 * The metric over time: of each kind that has its name, all series of it together. Throws `request.malformed` for more steps than
 * `MAX_STEPS`. Points are taken to the second, as they are stored.
 */
export async function metricSeries(
  clickhouse: ClickHouse,
  question: MetricQuestion,
): Promise<MetricSeries[]> {
  const { name, service = '', since, step } = question;
  const until = Math.min(question.until, END_OF_TIME);
  if (!(Number.isInteger(step) && step > 0 && until > since && (until - since) / step <= MAX_STEPS))
    throw new ClosewatchError(
      'request.malformed',
      `a metric is read in 1 to ${MAX_STEPS} steps of a second or more`,
    );
  // A cumulative series counts on from the step before the first one.
  const from = Math.max(0, since - step);
  const asked = { name, service, since, from, until, step, limit: MAX_ROWS + 1 };
  const found = await clickhouse.query(kinds, { ...asked, from: since });
  return await Promise.all(
    found.map(async ({ kind, ...texts }) => ({
      name,
      kind,
      ...texts,
      ...(await READS[kind](clickhouse, asked, { since, step })),
    })),
  );
}
