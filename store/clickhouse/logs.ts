import { z } from 'zod';
import type { LogRecord } from '../../model/log.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

interface LogOptions {
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface LogStore {
  /** The log records of some traces, each once, by trace and time; of each trace at most `limit`, 1,000. */
  logsOfTraces(traceIds: readonly string[], options?: LogOptions): Promise<LogRecord[]>;
  /** The log records of one span in the order of time, each once; at most `limit`, 1,000. */
  logsOfSpan(traceId: string, spanId: string, options?: LogOptions): Promise<LogRecord[]>;
}

/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const TRACES_A_QUERY = 2_000;

const attributes = z.record(z.string(), z.string());
const row = z.object({
  traceId: z.string(),
  spanId: z.string(),
  timeNs: z.string(),
  severityText: z.string(),
  severityNumber: z.number(),
  service: z.string(),
  body: z.string(),
  eventName: z.string(),
  identity: z.string(),
  resourceAttributes: attributes,
  scopeName: z.string(),
  scopeVersion: z.string(),
  attributes,
});

/** Records have no id: two that are equal in all of this are one that was sent again. */
export const LOG_IDENTITY =
  'Timestamp, TraceId, SpanId, ServiceName, SeverityNumber, cityHash64(Body), cityHash64(LogAttributes)';

/**
 * The spans' days tell where to look, a day more on either side: the text or bloom filter index on TraceId does the rest. A trace
 * of which nothing lies there, because it has no spans, is looked for everywhere.
 */
const WINDOW = `
  AND Timestamp >= (SELECT toDateTime64(min(Start), 9) - INTERVAL 1 DAY FROM otel_traces_trace_id_ts
    WHERE TraceId IN {traceIds:Array(String)})
  AND Timestamp <= (SELECT toDateTime64(max(End), 9) + INTERVAL 1 DAY FROM otel_traces_trace_id_ts
    WHERE TraceId IN {traceIds:Array(String)})`;

const records = (window: string): string => `
SELECT TraceId AS traceId, SpanId AS spanId, toUnixTimestamp64Nano(Timestamp) AS timeNs, SeverityText AS severityText,
  SeverityNumber AS severityNumber, ServiceName AS service, Body AS body, EventName AS eventName,
  toString(cityHash64(LogAttributes)) AS identity,
  ResourceAttributes AS resourceAttributes, ScopeName AS scopeName, ScopeVersion AS scopeVersion,
  LogAttributes AS attributes
FROM (
  SELECT * FROM otel_logs
  WHERE TraceId IN {traceIds:Array(String)} AND ({spanId:String} = '' OR SpanId = {spanId:String})${window}
  ORDER BY TraceId, Timestamp, SpanId, Body
  LIMIT 1 BY ${LOG_IDENTITY}
)
ORDER BY TraceId, Timestamp, SpanId, Body
LIMIT {limit:UInt32} BY TraceId`;

const params = z.object({ traceIds: z.array(z.string()), spanId: z.string(), limit: z.int().positive() });
const inWindow = defineQuery({ name: 'logs.records', sql: records(WINDOW), params, row });
const anywhere = defineQuery({ name: 'logs.records-anywhere', sql: records(''), params, row });

/** Reads `otel_logs`. */
export function openLogs(clickhouse: ClickHouse): LogStore {
  const find = async (
    traceIds: readonly string[],
    spanId: string,
    { limit = 1000, signal }: LogOptions,
  ): Promise<LogRecord[]> => {
    const options = signal === undefined ? {} : { signal };
    const asked = { traceIds: [...traceIds], spanId: spanId.toLowerCase(), limit };
    const found = await clickhouse.query(inWindow, asked, options);
    const known = new Set(found.map(({ traceId }) => traceId));
    const missing = traceIds.filter((id) => !known.has(id));
    if (missing.length > 0)
      found.push(...(await clickhouse.query(anywhere, { ...asked, traceIds: missing }, options)));
    return found;
  };
  return {
    async logsOfTraces(traceIds, options = {}) {
      const unique = [...new Set(traceIds.map((id) => id.toLowerCase()))].filter((id) => id !== '').sort();
      const all: LogRecord[] = [];
      for (let i = 0; i < unique.length; i += TRACES_A_QUERY)
        all.push(...(await find(unique.slice(i, i + TRACES_A_QUERY), '', options)));
      return all;
    },
    logsOfSpan: (traceId, spanId, options = {}) => find([traceId.toLowerCase()], spanId, options),
  };
}
