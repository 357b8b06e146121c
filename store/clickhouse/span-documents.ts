import { z } from 'zod';
import { CASE_LIMITS } from '../../model/case.ts';
import { type DocumentName, documentId } from '../../model/case-document.ts';
import { GROUP_KEY_TYPES, keyTypeOf } from '../../model/key.ts';
import type { CompanyScope } from '../../model/principal.ts';
import { documentsOfKeys } from './case-queries.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

const keys = defineQuery({
  name: 'span_keys.of_spans',
  sql: `SELECT DISTINCT TraceId AS traceId, SpanId AS spanId, JoinKey AS key FROM span_keys
    WHERE TraceId IN {traceIds:Array(String)} ORDER BY traceId, spanId, key LIMIT 10000`,
  params: z.object({ traceIds: z.array(z.string()) }),
  row: z.object({ traceId: z.string(), spanId: z.string(), key: z.string() }),
});

/** The documents of a trace: of each of its spans, and of the events that carry its id. */
export interface TraceDocuments {
  readonly all: readonly DocumentName[];
  readonly bySpan: ReadonlyMap<string, readonly DocumentName[]>;
}

/**
 * The readable documents of which a span of the traces holds a key, or an event carries the trace, by trace. A key that more
 * than 50 documents share, or that is of a batch, leads to none.
 */
export async function documentsOfTraces(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  traceIds: readonly string[],
): Promise<Map<string, TraceDocuments>> {
  const held = (await clickhouse.query(keys, { traceIds: [...traceIds] })).filter(
    ({ key }) => !GROUP_KEY_TYPES.has(keyTypeOf(key)),
  );
  const ofTrace = (traceId: string): string => `trace:${traceId}`;
  const asked = [...new Set([...held.map(({ key }) => key), ...traceIds.map(ofTrace)])];
  const hits = Map.groupBy(
    await documentsOfKeys(clickhouse, companies, asked, CASE_LIMITS.documents),
    ({ key }) => key,
  );
  const documentsOf = (key: string): readonly DocumentName[] => {
    const found = hits.get(key) ?? [];
    return found.length > CASE_LIMITS.fanOut && !key.startsWith('trace:') ? [] : found;
  };
  return new Map(
    traceIds.map((traceId) => {
      const own = Map.groupBy(
        held.filter((row) => row.traceId === traceId),
        ({ spanId }) => spanId,
      );
      const bySpan = new Map(
        [...own].map(([spanId, rows]) => [spanId, distinct(rows.flatMap(({ key }) => documentsOf(key)))]),
      );
      const all = distinct([...documentsOf(ofTrace(traceId)), ...[...bySpan.values()].flat()]);
      return [traceId, { all, bySpan }];
    }),
  );
}

const distinct = (names: readonly DocumentName[]): DocumentName[] => [
  ...new Map(
    names.map(({ company, source, subject }) => {
      const name = { company, source, subject };
      return [documentId(name), name];
    }),
  ).values(),
];
