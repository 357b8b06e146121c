import { z } from 'zod';
import type { LogHead } from '../../model/log.ts';
import type { SpanHead } from '../../model/span.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery, ONE_THREAD } from './query.ts';

/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const MAX_TRACES = 2_000;
/** So many times as many rows are read as are wanted, for those that were sent again. */
const REPEATS = 2;
/** So many spans and so many log records are read without asking for the first ones. */
const LINES = 2_000;

const OF = 'TraceId IN {traceIds:Array(String)} AND toDate(Timestamp) IN {days:Array(UInt16)}';

const SPAN_LINE = `TraceId AS traceId, SpanId AS spanId, toUnixTimestamp64Nano(Timestamp) AS atNs, ServiceName AS service,
    ParentSpanId AS parentSpanId, SpanName AS name, SpanKind AS kind, Duration AS durationNs, StatusCode AS statusCode,
    StatusMessage AS text, 0 AS severityNumber, '' AS identity`;
/** `identity` tells log records apart, which have no id. */
const LOG_LINE = `TraceId, SpanId, toUnixTimestamp64Nano(Timestamp), ServiceName, '', EventName, 'log', toUInt64(0), SeverityText,
    Body, SeverityNumber, toString(cityHash64(LogAttributes))`;

const ofTraces = { traceIds: z.array(z.string()), days: z.array(z.int()) };
const line = z.object({
  traceId: z.string(),
  spanId: z.string(),
  atNs: z.string(),
  service: z.string(),
  parentSpanId: z.string(),
  name: z.string(),
  kind: z.string(),
  durationNs: z.string(),
  statusCode: z.string(),
  text: z.string(),
  severityNumber: z.number(),
  identity: z.string(),
});
type Line = z.infer<typeof line>;

/** All of them, where they are few: to sort them is cheaper for the reader, who leaves out also those that were sent again. */
const lines = defineQuery({
  name: 'traces.lines',
  sql: `SELECT ${SPAN_LINE} FROM otel_traces WHERE ${OF} LIMIT {limit:UInt32}
    UNION ALL SELECT ${LOG_LINE} FROM otel_logs WHERE ${OF} LIMIT {limit:UInt32} ${ONE_THREAD}`,
  params: z.object({ ...ofTraces, limit: z.int().positive() }),
  row: line,
});

/** The first ones of each trace, where there are more. */
const firstLines = defineQuery({
  name: 'traces.first_lines',
  sql: `SELECT ${SPAN_LINE}
  FROM (SELECT * FROM otel_traces WHERE ${OF} ORDER BY TraceId, Timestamp, SpanId LIMIT {spans:UInt32} BY TraceId)
  UNION ALL
  SELECT ${LOG_LINE}
  FROM (SELECT * FROM otel_logs WHERE ${OF} ORDER BY TraceId, Timestamp, SpanId, Body LIMIT {logs:UInt32} BY TraceId)
  ${ONE_THREAD}`,
  params: z.object({ ...ofTraces, spans: z.int().positive(), logs: z.int().positive() }),
  row: line,
});

/** What a timeline shows of traces. */
export interface TraceLines {
  readonly spans: readonly SpanHead[];
  readonly logs: readonly LogHead[];
}

/**
 * What a timeline shows of the spans and log records of 2,000 traces at most that lie on one of the days (UTC, days since
 * 1970), by trace and time, each once; of each trace the first `spans` and `logs`. One query for both: what one costs by itself
 * is as much as what it reads.
 */
export async function linesOfTraces(
  clickhouse: ClickHouse,
  { days, traceIds }: { readonly days: readonly number[]; readonly traceIds: readonly string[] },
  first: { readonly spans: number; readonly logs: number },
): Promise<TraceLines> {
  const asked = { traceIds: [...new Set(traceIds)].slice(0, MAX_TRACES), days: [...days] };
  const rows = await linesOf(clickhouse, asked, first);
  const spans = eachOnce(
    rows.filter(({ kind }) => kind !== 'log'),
    ({ traceId, spanId }) => `${traceId} ${spanId}`,
    first.spans,
  );
  const logs = eachOnce(
    rows.filter(({ kind }) => kind === 'log'),
    JSON.stringify,
    first.logs,
  );
  return { spans: spans.map(spanOf), logs: logs.map(logOf) };
}

async function linesOf(
  clickhouse: ClickHouse,
  asked: { readonly traceIds: string[]; readonly days: number[] },
  first: { readonly spans: number; readonly logs: number },
): Promise<Line[]> {
  const rows = await clickhouse.query(lines, { ...asked, limit: LINES });
  const logs = rows.filter(({ kind }) => kind === 'log').length;
  if (logs < LINES && rows.length - logs < LINES) return rows.sort(byPlace);
  const limits = { spans: first.spans * REPEATS, logs: first.logs * REPEATS };
  return await clickhouse.query(firstLines, { ...asked, ...limits });
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** By trace and time, as the queries that sort do. */
const byPlace = (a: Line, b: Line): number =>
  byText(a.traceId, b.traceId) ||
  Number(BigInt(a.atNs) - BigInt(b.atNs)) ||
  byText(a.spanId, b.spanId) ||
  byText(a.text, b.text);

function eachOnce(rows: readonly Line[], id: (row: Line) => string, limit: number): Line[] {
  const once = new Map(rows.map((row) => [id(row), row]));
  return [...Map.groupBy(once.values(), ({ traceId }) => traceId).values()].flatMap((list) =>
    list.slice(0, limit),
  );
}

const spanOf = (line: Line): SpanHead => ({
  traceId: line.traceId,
  spanId: line.spanId,
  parentSpanId: line.parentSpanId,
  name: line.name,
  kind: line.kind,
  service: line.service,
  startNs: line.atNs,
  durationNs: line.durationNs,
  statusCode: line.statusCode,
  statusMessage: line.text,
});

const logOf = (line: Line): LogHead => ({
  traceId: line.traceId,
  spanId: line.spanId,
  timeNs: line.atNs,
  severityText: line.statusCode,
  severityNumber: line.severityNumber,
  service: line.service,
  body: line.text,
  eventName: line.name,
});
