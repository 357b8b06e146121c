import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

/** Spans of a minute (epoch minutes) that an objective looks at, and those that are bad. */
export interface Minute {
  readonly minute: number;
  readonly total: number;
  readonly bad: number;
}

/** An error that services told in a span of time: how often, in these words. */
export interface TextCount {
  readonly service: string;
  readonly text: string;
  readonly count: number;
}

const whole = z.string().regex(/^-?\d+$/);
const span = { fromNs: whole, toNs: whole };
const WINDOW = `Timestamp >= fromUnixTimestamp64Nano({fromNs:Int64}) AND Timestamp < fromUnixTimestamp64Nano({toNs:Int64})`;

const minutesOf = defineQuery({
  name: 'objectives.minutes',
  sql: `SELECT toUInt32(toUnixTimestamp(toStartOfMinute(Timestamp)) / 60) AS minute, count() AS total,
      countIf(if({slowNs:UInt64} > 0, duration > {slowNs:UInt64}, status = 'Error')) AS bad
    FROM (
      SELECT Timestamp, toUInt64(Duration) AS duration, toString(StatusCode) AS status FROM otel_traces
      WHERE ${WINDOW} AND match(ServiceName, {services:String}) AND match(SpanName, {operations:String})
        AND ({kind:String} = '' OR lower(SpanKind) = {kind:String})
      LIMIT 1 BY TraceId, SpanId
    ) GROUP BY minute ORDER BY minute`,
  params: z.object({
    ...span,
    services: z.string(),
    operations: z.string(),
    kind: z.string(),
    slowNs: z.string(),
  }),
  row: z.object({ minute: z.number(), total: z.coerce.number(), bad: z.coerce.number() }),
});

const errorTexts = defineQuery({
  name: 'objectives.error-texts',
  sql: `SELECT service, text, count() AS count FROM (
      SELECT toString(ServiceName) AS service, substring(Body, 1, 500) AS text FROM otel_logs
      WHERE ${WINDOW} AND SeverityNumber >= 17 AND match(ServiceName, {services:String})
      UNION ALL
      SELECT toString(ServiceName) AS service, concat(toString(SpanName), ': ', substring(StatusMessage, 1, 500)) AS text FROM otel_traces
      WHERE ${WINDOW} AND StatusCode = 'Error' AND match(ServiceName, {services:String})
    ) GROUP BY service, text ORDER BY count DESC LIMIT 5000`,
  params: z.object({ ...span, services: z.string() }),
  row: z.object({ service: z.string(), text: z.string(), count: z.coerce.number() }),
});

const metricMeans = defineQuery({
  name: 'objectives.metric-means',
  sql: `SELECT toString(ServiceName) AS service, toUInt64(intDiv(toUnixTimestamp64Milli(toDateTime64(TimeUnix, 3)), {stepMs:Int64})) * {stepMs:Int64} AS at,
      avg(Value) AS value
    FROM (
      SELECT ServiceName, TimeUnix, Value FROM otel_metrics_gauge
      WHERE MetricName = {metric:String} AND match(ServiceName, {services:String})
        AND TimeUnix >= fromUnixTimestamp64Nano({fromNs:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({toNs:Int64})
      UNION ALL
      SELECT ServiceName, TimeUnix, Value FROM otel_metrics_sum
      WHERE MetricName = {metric:String} AND match(ServiceName, {services:String})
        AND TimeUnix >= fromUnixTimestamp64Nano({fromNs:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({toNs:Int64})
    ) GROUP BY service, at ORDER BY service, at`,
  params: z.object({ ...span, services: z.string(), metric: z.string(), stepMs: z.string() }),
  row: z.object({ service: z.string(), at: z.coerce.number(), value: z.number() }),
});

/** Which services and operations an objective looks at: regular expressions (RE2) of whole names. */
export interface SpanChoice {
  readonly services: string;
  readonly operations: string;
  /** `server` …; empty: any. */
  readonly kind: string;
  /** Nanoseconds above which a span is bad; 0: one with an error is. */
  readonly slowNs: bigint;
}

/** A span of time, epoch nanoseconds: from inclusive, to exclusive. */
export interface TimeSpan {
  readonly from: bigint;
  readonly to: bigint;
}

const bounds = ({ from, to }: TimeSpan) => ({ fromNs: `${from}`, toNs: `${to}` });

/** By minute, the spans of a choice; minutes without any are left out. A span that was sent again counts once. */
export const spanMinutes = (clickhouse: ClickHouse, choice: SpanChoice, time: TimeSpan): Promise<Minute[]> =>
  clickhouse.query(minutesOf, { ...choice, ...bounds(time), slowNs: `${choice.slowNs}` });

/** The errors that services told in logs (severity error and above) and spans, by their words, the 5,000 most frequent. */
export const errorCounts = (clickhouse: ClickHouse, services: string, time: TimeSpan): Promise<TextCount[]> =>
  clickhouse.query(errorTexts, { services, ...bounds(time) });

/** Means of a gauge or a sum over steps of time, by service. */
export const metricSeries = (
  clickhouse: ClickHouse,
  given: { services: string; metric: string; stepMs: number },
  time: TimeSpan,
): Promise<{ service: string; at: number; value: number }[]> =>
  clickhouse.query(metricMeans, { ...given, stepMs: `${given.stepMs}`, ...bounds(time) });
