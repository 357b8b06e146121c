import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { LOG_IDENTITY } from './logs.ts';
import { defineQuery } from './query.ts';
import type { TelemetryTable } from './telemetry.ts';

/** Tables of records; keys of spans are none. */
export type RecordTable = Exclude<TelemetryTable, 'span_keys'>;

const params = z.object({ since: z.string() });
const row = z.object({ records: z.coerce.number(), repeats: z.coerce.number() });

/** Rows are equal in `identity` when their sender sent one record twice. */
const counting = (table: TelemetryTable, time: string, identity: string) =>
  defineQuery({
    name: `${table.replace('otel_', '')}.count-since`,
    sql: `SELECT uniqExact(identity) AS records, count() - records AS repeats FROM (
    SELECT (${identity}) AS identity FROM ${table}
    WHERE ${time} >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') LIMIT 1000000)`,
    params,
    row,
  });

const COUNTS = {
  otel_traces: counting('otel_traces', 'Timestamp', 'TraceId, SpanId'),
  otel_logs: counting('otel_logs', 'Timestamp', LOG_IDENTITY),
  otel_metrics_gauge: counting('otel_metrics_gauge', 'TimeUnix', 'cityHash64(*)'),
  otel_metrics_sum: counting('otel_metrics_sum', 'TimeUnix', 'cityHash64(*)'),
  otel_metrics_histogram: counting('otel_metrics_histogram', 'TimeUnix', 'cityHash64(*)'),
  otel_metrics_exp_histogram: counting('otel_metrics_exp_histogram', 'TimeUnix', 'cityHash64(*)'),
  otel_metrics_summary: counting('otel_metrics_summary', 'TimeUnix', 'cityHash64(*)'),
} satisfies Record<RecordTable, unknown>;

/**
 * How many records the table has since `since` (epoch nanoseconds), each once, and how many rows more: repeats that senders sent
 * again. Of a million rows at most: cheap at any size.
 */
export async function countRecordsSince(
  clickhouse: ClickHouse,
  table: RecordTable,
  since: bigint,
): Promise<{ records: number; repeats: number }> {
  const [counted] = await clickhouse.query(COUNTS[table], { since: `${since}` });
  return counted ?? { records: 0, repeats: 0 };
}
