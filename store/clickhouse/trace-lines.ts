import { z } from 'zod';
import type { LogHead } from '../../model/log.ts';
import type { SpanHead } from '../../model/span.ts';
import type { ClickHouse } from './client.ts';
import { defineLookup, type NamedQuery } from './query.ts';

/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const MAX_TRACES = 2_000;
/** So many times as many rows are read as are wanted, for those that were sent again. */
const REPEATS = 2;
/** So many rows are read without asking which are the first. */
const FEW_ROWS = 2_000;

const OF = 'TraceId IN {traceIds:Array(String)} AND toDate(Timestamp) IN {days:Array(UInt16)}';
const ofTraces = { traceIds: z.array(z.string()), days: z.array(z.int()), limit: z.int().positive() };

/** Two queries of the same rows: all of them, where they are few, and the first ones of each trace, where there are more. */
function linesQueries<R>(
  name: string,
  columns: string,
  table: string,
  order: string,
  row: z.ZodType<R>,
): Lines<R> {
  const params = z.object(ofTraces);
  const all = `SELECT ${columns} FROM ${table} WHERE ${OF} LIMIT {limit:UInt32}`;
  const first = `SELECT ${columns} FROM (SELECT * FROM ${table} WHERE ${OF} ORDER BY ${order} LIMIT {limit:UInt32} BY TraceId)
    ORDER BY ${order}`;
  return {
    all: defineLookup({ name, sql: all, params, row }),
    first: defineLookup({ name: `${name}_first`, sql: first, params, row }),
  };
}
interface Lines<R> {
  readonly all: NamedQuery<Asked & { limit: number }, R>;
  readonly first: NamedQuery<Asked & { limit: number }, R>;
}
interface Asked {
  readonly traceIds: string[];
  readonly days: number[];
}

const spanLines = linesQueries(
  'traces.span_lines',
  `TraceId AS traceId, SpanId AS spanId, ParentSpanId AS parentSpanId, SpanName AS name, SpanKind AS kind, ServiceName AS service,
    toUnixTimestamp64Nano(Timestamp) AS startNs, Duration AS durationNs, StatusCode AS statusCode, StatusMessage AS statusMessage`,
  'otel_traces',
  'TraceId, Timestamp, SpanId',
  z.object({
    traceId: z.string(),
    spanId: z.string(),
    parentSpanId: z.string(),
    name: z.string(),
    kind: z.string(),
    service: z.string(),
    startNs: z.string(),
    durationNs: z.string(),
    statusCode: z.string(),
    statusMessage: z.string(),
  }),
);

const logLines = linesQueries(
  'traces.log_lines',
  `TraceId AS traceId, SpanId AS spanId, toUnixTimestamp64Nano(Timestamp) AS timeNs, SeverityText AS severityText,
    SeverityNumber AS severityNumber, ServiceName AS service, Body AS body, EventName AS eventName,
    toString(cityHash64(LogAttributes)) AS identity`,
  'otel_logs',
  'TraceId, Timestamp, SpanId, Body',
  z.object({
    traceId: z.string(),
    spanId: z.string(),
    timeNs: z.string(),
    severityText: z.string(),
    severityNumber: z.number(),
    service: z.string(),
    body: z.string(),
    eventName: z.string(),
    identity: z.string(),
  }),
);

/** What a timeline shows of traces. */
export interface TraceLines {
  readonly spans: readonly SpanHead[];
  readonly logs: readonly LogHead[];
}

/**
 * What a timeline shows of the spans and log records of 2,000 traces at most that lie on one of the days (UTC, days since
 * 1970), by trace and time, each once; of each trace the first `spans` and `logs`.
 */
export async function linesOfTraces(
  clickhouse: ClickHouse,
  { days, traceIds }: { readonly days: readonly number[]; readonly traceIds: readonly string[] },
  first: { readonly spans: number; readonly logs: number },
): Promise<TraceLines> {
  const asked = { traceIds: [...new Set(traceIds)].slice(0, MAX_TRACES), days: [...days] };
  const [spans, logs] = await Promise.all([
    read(clickhouse, spanLines, asked, first.spans),
    read(clickhouse, logLines, asked, first.logs),
  ]);
  return {
    spans: firstOfEach(spans.sort(inTrace(({ startNs, spanId }) => [startNs, spanId])), first.spans, spanId),
    logs: firstOfEach(
      logs.sort(inTrace(({ timeNs, spanId, body }) => [timeNs, spanId, body])),
      first.logs,
      JSON.stringify,
    ),
  };
}

const spanId = ({ traceId, spanId }: SpanHead): string => `${traceId} ${spanId}`;

async function read<R>(
  clickhouse: ClickHouse,
  lines: Lines<R>,
  asked: Asked,
  perTrace: number,
): Promise<R[]> {
  const few = await clickhouse.query(lines.all, { ...asked, limit: FEW_ROWS });
  if (few.length < FEW_ROWS) return few;
  return await clickhouse.query(lines.first, { ...asked, limit: perTrace * REPEATS });
}

/** By trace and time: to sort a few rows is cheaper here than in the query. */
const inTrace =
  <R extends { readonly traceId: string }>(place: (row: R) => [ns: string, ...rest: string[]]) =>
  (a: R, b: R): number => {
    const [[x, ...further], [y, ...other]] = [place(a), place(b)];
    const byTrace = byText(a.traceId, b.traceId) || Number(BigInt(x) - BigInt(y));
    return further.reduce((order, text, i) => order || byText(text, other[i] ?? ''), byTrace);
  };
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The first `limit` of each trace; a row that was sent again counts once. */
function firstOfEach<R extends { readonly traceId: string }>(
  rows: readonly R[],
  limit: number,
  id: (row: R) => string,
): R[] {
  const once = new Map(rows.map((row) => [id(row), row]));
  return [...Map.groupBy(once.values(), ({ traceId }) => traceId).values()].flatMap((list) =>
    list.slice(0, limit),
  );
}
