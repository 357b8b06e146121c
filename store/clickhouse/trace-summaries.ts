import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';
import { WINDOW } from './traces.ts';

/** What all spans of a trace come to, however many there are. */
export interface TraceSummary {
  readonly traceId: string;
  /** Spans, each once however often it was sent. */
  readonly spans: number;
  readonly errors: number;
  /** When the first begins and the last ends, nanoseconds since 1970 as text. */
  readonly startNs: string;
  readonly endNs: string;
  /** Sorted. */
  readonly services: readonly string[];
}

const summed = (window: string): string => `
SELECT traceId, count() AS spans, countIf(status = 'Error') AS errors, min(start) AS startNs,
  max(start + duration) AS endNs, arraySort(groupUniqArray(1000)(service)) AS services
FROM (
  SELECT TraceId AS traceId, toUnixTimestamp64Nano(Timestamp) AS start, toInt64(Duration) AS duration,
    toString(StatusCode) AS status, toString(ServiceName) AS service
  FROM otel_traces WHERE TraceId IN {traceIds:Array(String)}${window}
  LIMIT 1 BY TraceId, SpanId
) GROUP BY traceId`;

const params = z.object({ traceIds: z.array(z.string()) });
const row = z.object({
  traceId: z.string(),
  spans: z.coerce.number(),
  errors: z.coerce.number(),
  startNs: z.string(),
  endNs: z.string(),
  services: z.array(z.string()),
});
const inWindow = defineQuery({ name: 'traces.summaries', sql: summed(WINDOW), params, row });
const anywhere = defineQuery({ name: 'traces.summaries-anywhere', sql: summed(''), params, row });

/** The summaries of the traces (lower-case ids) that have spans. */
export async function traceSummaries(
  clickhouse: ClickHouse,
  traceIds: readonly string[],
): Promise<TraceSummary[]> {
  if (traceIds.length === 0) return [];
  const found = await clickhouse.query(inWindow, { traceIds: [...traceIds] });
  const known = new Set(found.map(({ traceId }) => traceId));
  const missing = traceIds.filter((id) => !known.has(id));
  if (missing.length > 0) found.push(...(await clickhouse.query(anywhere, { traceIds: missing })));
  return found;
}
