import { z } from 'zod';
import type { Span } from '../../model/span.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

export interface TraceStore {
  /** The spans of a trace in the order of their start, each once; empty when there is none. At most `limit`, 10,000. */
  traceById(traceId: string, options?: { limit?: number; signal?: AbortSignal }): Promise<Span[]>;
  /** The spans of some traces, each once, by trace and start; of each trace at most `limit`, 1,000. */
  spansOfTraces(
    traceIds: readonly string[],
    options?: { limit?: number; signal?: AbortSignal },
  ): Promise<Span[]>;
  /** How many spans there are, each counted once, and how many rows more: repeats that senders sent again. */
  countSpans(options?: { signal?: AbortSignal }): Promise<{ spans: number; repeats: number }>;
  /** The same of spans that began at `since` (epoch nanoseconds) or later, of a million rows at most: cheap at any size. */
  countSpansSince(since: bigint): Promise<{ spans: number; repeats: number }>;
}

/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const TRACES_A_QUERY = 2_000;

const attributes = z.record(z.string(), z.string());
const row = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string(),
  traceState: z.string(),
  name: z.string(),
  kind: z.string(),
  service: z.string(),
  resourceAttributes: attributes,
  scopeName: z.string(),
  scopeVersion: z.string(),
  attributes,
  startNs: z.string(),
  durationNs: z.string(),
  statusCode: z.string(),
  statusMessage: z.string(),
  eventTimes: z.array(z.string()),
  eventNames: z.array(z.string()),
  eventAttributes: z.array(attributes),
  linkTraceIds: z.array(z.string()),
  linkSpanIds: z.array(z.string()),
  linkTraceStates: z.array(z.string()),
  linkAttributes: z.array(attributes),
});

const SELECT = `
SELECT TraceId AS traceId, SpanId AS spanId, ParentSpanId AS parentSpanId, TraceState AS traceState, SpanName AS name,
  SpanKind AS kind, ServiceName AS service, ResourceAttributes AS resourceAttributes, ScopeName AS scopeName,
  ScopeVersion AS scopeVersion, SpanAttributes AS attributes, toUnixTimestamp64Nano(Timestamp) AS startNs,
  Duration AS durationNs, StatusCode AS statusCode, StatusMessage AS statusMessage,
  arrayMap(time -> toUnixTimestamp64Nano(time), Events.Timestamp) AS eventTimes, Events.Name AS eventNames,
  Events.Attributes AS eventAttributes, Links.TraceId AS linkTraceIds, Links.SpanId AS linkSpanIds,
  Links.TraceState AS linkTraceStates, Links.Attributes AS linkAttributes
FROM otel_traces
WHERE TraceId IN {traceIds:Array(String)}`;

/**
 * `otel_traces_trace_id_ts` tells the days to look at: one row an insert and trace, whole seconds cut off, so the end
 * is one second later. After a crash between a table and its view it may lack a trace: then the table itself is asked.
 */
export const WINDOW = `
  AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId IN {traceIds:Array(String)})
  AND Timestamp <= (SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId IN {traceIds:Array(String)})`;

const ONCE = `
ORDER BY traceId, Timestamp, spanId
LIMIT 1 BY TraceId, SpanId`;

const params = z.object({ traceIds: z.array(z.string()), limit: z.int().positive() });
const LIMITED = `SELECT * FROM (${SELECT}${WINDOW}${ONCE}) LIMIT {limit:UInt32} BY traceId`;
const LIMITED_WITHOUT_WINDOW = `SELECT * FROM (${SELECT}${ONCE}) LIMIT {limit:UInt32} BY traceId`;

const spansInWindow = defineQuery({ name: 'traces.spans', sql: LIMITED, params, row });
const spansAnywhere = defineQuery({
  name: 'traces.spans-anywhere',
  sql: LIMITED_WITHOUT_WINDOW,
  params,
  row,
});

const counts = defineQuery({
  name: 'traces.count',
  sql: 'SELECT uniqExact(TraceId, SpanId) AS spans, count() - spans AS repeats FROM otel_traces',
  params: z.object({}),
  row: z.object({ spans: z.coerce.number(), repeats: z.coerce.number() }),
});

const countsSince = defineQuery({
  name: 'traces.count-since',
  sql: `SELECT uniqExact(TraceId, SpanId) AS spans, count() - spans AS repeats FROM (
    SELECT TraceId, SpanId FROM otel_traces WHERE Timestamp >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') LIMIT 1000000)`,
  params: z.object({ since: z.string() }),
  row: counts.row,
});

/** Reads `otel_traces`. */
export function openTraces(clickhouse: ClickHouse): TraceStore {
  const spans = async (traceIds: readonly string[], limit: number, signal: AbortSignal | undefined) => {
    const options = signal === undefined ? {} : { signal };
    const asked = { traceIds: traceIds.map((id) => id.toLowerCase()), limit };
    const found = await clickhouse.query(spansInWindow, asked, options);
    const known = new Set(found.map(({ traceId }) => traceId));
    const missing = asked.traceIds.filter((id) => !known.has(id));
    if (missing.length > 0)
      found.push(...(await clickhouse.query(spansAnywhere, { traceIds: missing, limit }, options)));
    return found.map(spanOf);
  };
  return {
    traceById: (traceId, { limit = 10_000, signal } = {}) => spans([traceId], limit, signal),
    async spansOfTraces(traceIds, { limit = 1000, signal } = {}) {
      const unique = [...new Set(traceIds)].sort();
      const all: Span[] = [];
      for (let i = 0; i < unique.length; i += TRACES_A_QUERY)
        all.push(...(await spans(unique.slice(i, i + TRACES_A_QUERY), limit, signal)));
      return all;
    },
    async countSpans({ signal } = {}) {
      const [counted] = await clickhouse.query(counts, {}, signal === undefined ? {} : { signal });
      return counted ?? { spans: 0, repeats: 0 };
    },
    async countSpansSince(since) {
      const [counted] = await clickhouse.query(countsSince, { since: `${since}` });
      return counted ?? { spans: 0, repeats: 0 };
    },
  };
}

function spanOf(stored: z.infer<typeof row>): Span {
  const { eventTimes, eventNames, eventAttributes, ...rest } = stored;
  const { linkTraceIds, linkSpanIds, linkTraceStates, linkAttributes, ...span } = rest;
  return {
    ...span,
    events: eventTimes.map((timeNs, i) => ({
      timeNs,
      name: eventNames[i] ?? '',
      attributes: eventAttributes[i] ?? {},
    })),
    links: linkTraceIds.map((traceId, i) => ({
      traceId,
      spanId: linkSpanIds[i] ?? '',
      traceState: linkTraceStates[i] ?? '',
      attributes: linkAttributes[i] ?? {},
    })),
  };
}
