import { z } from 'zod';
import type { CompanyScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { scope, scopeOf } from './event-queries.ts';
import { chunksOf } from './finance-events.ts';
import { defineQuery } from './query.ts';

const texts = z.array(z.string());
/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const TRACES_A_QUERY = 1_000;

const spans = defineQuery({
  name: 'span_keys.spans',
  sql: `SELECT JoinKey AS key, TraceId AS traceId, SpanId AS spanId, toString(toUnixTimestamp64Nano(any(Timestamp))) AS startNs
    FROM span_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY key, traceId, spanId ORDER BY key, any(Timestamp), traceId, spanId LIMIT {limit:UInt32} BY key`,
  params: z.object({ ...scope, joinKeys: texts, limit: z.int() }),
  row: z.object({ key: z.string(), traceId: z.string(), spanId: z.string(), startNs: z.string() }),
});

/** By a projection on the one side, by the key that each event has of its trace on the other. */
const ofTraces = defineQuery({
  name: 'span_keys.of_traces',
  sql: `SELECT TraceId AS traceId, groupUniqArray(1000)(Company) AS companies, groupUniqArray(1000)(JoinKey) AS keys
    FROM span_keys WHERE TraceId IN {traceIds:Array(String)} GROUP BY traceId
    UNION ALL
    SELECT substring(JoinKey, 7) AS traceId, groupUniqArray(1000)(Company) AS companies, [] AS keys
    FROM event_keys WHERE JoinKey IN {traceKeys:Array(String)} GROUP BY traceId`,
  params: z.object({ traceIds: texts, traceKeys: texts }),
  row: z.object({ traceId: z.string(), companies: texts, keys: texts }),
});

/** A span that holds a correlation key. */
export interface KeyedSpan {
  readonly key: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Nanoseconds since 1970, as decimal text. */
  readonly startNs: string;
}

/** What the spans of a trace name, and the events that carry its id. */
export interface TraceKeys {
  /** Without the empty one: spans that name none. */
  readonly companies: ReadonlySet<string>;
  /** Join keys of its spans, 1,000 at most. */
  readonly keys: readonly string[];
}

/** The spans of the companies that hold one of the join keys; of each key the first `limit`, each once. */
export async function spansOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  limit: number,
): Promise<KeyedSpan[]> {
  const found: KeyedSpan[] = [];
  for (const chunk of chunksOf(joinKeys))
    found.push(...(await clickhouse.query(spans, { ...scopeOf(companies), joinKeys: chunk, limit })));
  return found;
}

/** What the traces name, by their ids; those of which nothing names anything are missing. */
export async function keysOfTraces(
  clickhouse: ClickHouse,
  traceIds: readonly string[],
): Promise<Map<string, TraceKeys>> {
  const found = new Map<string, TraceKeys>();
  for (let at = 0; at < traceIds.length; at += TRACES_A_QUERY) {
    const some = traceIds.slice(at, at + TRACES_A_QUERY);
    const asked = { traceIds: some, traceKeys: some.map((id) => `trace:${id}`) };
    for (const { traceId, companies, keys } of await clickhouse.query(ofTraces, asked)) {
      const known = found.get(traceId);
      const all = [...(known?.companies ?? []), ...companies.filter((company) => company !== '')];
      found.set(traceId, { companies: new Set(all), keys: [...(known?.keys ?? []), ...keys] });
    }
  }
  return found;
}
