import { z } from 'zod';
import { type CompanyScope, isInScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { scope, scopeOf } from './event-queries.ts';
import { chunksOf } from './param-chunks.ts';
import { defineLookup } from './query.ts';

const texts = z.array(z.string());
/** Ids are a parameter, of which ClickHouse takes 128 KiB. */
const TRACES_A_QUERY = 1_000;
/** So many join keys of a trace are told. */
const KEYS_A_TRACE = 1_000;
/** So many times as many rows are read as spans are wanted, for those that were sent again. */
const REPEATS = 2;

const SPANS = `SELECT JoinKey AS key, TraceId AS traceId, SpanId AS spanId, toString(toUnixTimestamp64Nano(Timestamp)) AS startNs
    FROM span_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    ORDER BY JoinKey, Timestamp LIMIT {limit:UInt32} BY JoinKey`;
const keyedSpan = z.object({ key: z.string(), traceId: z.string(), spanId: z.string(), startNs: z.string() });
const ofKeys = { ...scope, joinKeys: texts, limit: z.int() };

const spans = defineLookup({
  name: 'span_keys.spans',
  sql: SPANS,
  params: z.object(ofKeys),
  row: keyedSpan,
});

/** By a projection on the one side, by the key that each event has of its trace on the other. */
const TRACES = `SELECT TraceId AS traceId, groupUniqArray(1000)(Company) AS companies, groupUniqArray(1000)(JoinKey) AS keys
    FROM span_keys WHERE TraceId IN {traceIds:Array(String)} GROUP BY traceId
    UNION ALL
    SELECT substring(JoinKey, 7) AS traceId, groupUniqArray(1000)(Company) AS companies, [] AS keys
    FROM event_keys WHERE JoinKey IN {traceKeys:Array(String)} GROUP BY traceId`;
const traceRow = z.object({ traceId: z.string(), companies: texts, keys: texts });
const ofTraceIds = { traceIds: texts, traceKeys: texts };

const ofTraces = defineLookup({
  name: 'span_keys.of_traces',
  sql: TRACES,
  params: z.object(ofTraceIds),
  row: traceRow,
});

/**
 * Both at once, row by row and of every company: what a query costs by itself is as much as what either reads, and to group, sort and
 * filter a few rows is cheaper for the reader. As many rows of a part as its limit: there may be more.
 */
const spansAndTraces = defineLookup({
  name: 'span_keys.spans_and_traces',
  sql: `SELECT 'span' AS part, JoinKey AS key, Company AS company, TraceId AS traceId, SpanId AS spanId,
      toUnixTimestamp64Nano(Timestamp) AS startNs FROM span_keys WHERE JoinKey IN {joinKeys:Array(String)} LIMIT {limit:UInt32}
    UNION ALL SELECT 'key', JoinKey, Company, TraceId, '', 0 FROM span_keys WHERE TraceId IN {traceIds:Array(String)} LIMIT {limit:UInt32}
    UNION ALL SELECT 'event', '', Company, substring(JoinKey, 7), '', 0 FROM event_keys
      WHERE JoinKey IN {traceKeys:Array(String)} LIMIT {limit:UInt32}`,
  params: z.object({ joinKeys: texts, limit: z.int(), ...ofTraceIds }),
  row: z.object({ part: z.enum(['span', 'key', 'event']), company: z.string(), ...keyedSpan.shape }),
});
/** So many rows of each part. */
const ROWS_A_PART = 2_000;

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
async function spansOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  limit: number,
): Promise<KeyedSpan[]> {
  const found: KeyedSpan[] = [];
  for (const chunk of chunksOf(joinKeys)) {
    const asked = { ...scopeOf(companies), joinKeys: chunk, limit: limit * REPEATS };
    found.push(...(await clickhouse.query(spans, asked)));
  }
  return eachOnce(found, limit);
}

/** Each once, also those that were sent again. */
function eachOnce(found: readonly KeyedSpan[], limit: number): KeyedSpan[] {
  const once = new Map(found.map((one) => [`${one.key} ${one.traceId} ${one.spanId}`, one]));
  return [...Map.groupBy(once.values(), ({ key }) => key).values()].flatMap((list) => list.slice(0, limit));
}

/** What the traces name, by their ids; those of which nothing names anything are missing. */
export async function keysOfTraces(
  clickhouse: ClickHouse,
  traceIds: readonly string[],
): Promise<Map<string, TraceKeys>> {
  const found: z.infer<typeof traceRow>[] = [];
  for (let at = 0; at < traceIds.length; at += TRACES_A_QUERY)
    found.push(...(await clickhouse.query(ofTraces, idsIn(traceIds.slice(at, at + TRACES_A_QUERY)))));
  return byTrace(found);
}

const idsIn = (traceIds: readonly string[]) => ({
  traceIds: [...traceIds],
  traceKeys: traceIds.map((id) => `trace:${id}`),
});

function byTrace(rows: readonly z.infer<typeof traceRow>[]): Map<string, TraceKeys> {
  const ofOne = ([traceId, own]: [string, z.infer<typeof traceRow>[]]): [string, TraceKeys] => {
    const named = own.flatMap(({ companies }) => companies).filter((company) => company !== '');
    const keys = new Set(own.flatMap((row) => row.keys));
    return [traceId, { companies: new Set(named), keys: [...keys].slice(0, KEYS_A_TRACE) }];
  };
  return new Map([...Map.groupBy(rows, ({ traceId }) => traceId)].map(ofOne));
}

/**
 * The spans of the companies that hold one of the join keys, of each key the first `limit`, and what `keysOfTraces` says of
 * other traces: in one query, unless there are very many of either.
 */
export async function spansBesideTraces(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  limit: number,
  traceIds: readonly string[],
): Promise<{ spans: KeyedSpan[]; traces: Map<string, TraceKeys> }> {
  const [keys, ...further] = chunksOf(joinKeys);
  const fitsOne = further.length === 0 && traceIds.length > 0 && traceIds.length <= TRACES_A_QUERY;
  if (keys && fitsOne) {
    const asked = { joinKeys: keys, limit: ROWS_A_PART, ...idsIn(traceIds) };
    const parts = Map.groupBy(await clickhouse.query(spansAndTraces, asked), ({ part }) => part);
    if ([...parts.values()].every((rows) => rows.length < ROWS_A_PART)) {
      const spans = (parts.get('span') ?? [])
        .filter(({ company }) => isInScope(companies, company))
        .map(({ part, company, ...span }) => span);
      const named = [...(parts.get('key') ?? []), ...(parts.get('event') ?? [])];
      return { spans: eachOnce(spans.sort(byStart), limit), traces: byTrace(named.map(namesOfRow)) };
    }
  }
  const [spans, traces] = await Promise.all([
    spansOfKeys(clickhouse, companies, joinKeys, limit),
    keysOfTraces(clickhouse, traceIds),
  ]);
  return { spans, traces };
}

const byStart = (a: KeyedSpan, b: KeyedSpan): number => Number(BigInt(a.startNs) - BigInt(b.startNs));

const namesOfRow = ({ traceId, company, key }: { traceId: string; company: string; key: string }) => ({
  traceId,
  companies: [company],
  keys: key === '' ? [] : [key],
});
