import type { CompanyScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { keysOfTraces, type TraceKeys } from './span-keys.ts';

/** A trace that may be read, and the join keys that its spans hold, 1,000 at most. */
export interface ReadableTrace {
  readonly traceId: string;
  readonly keys: readonly string[];
}

/**
 * Those of the traces that the scope may read, in their order. A trace belongs to the companies that its spans name and to
 * those of the events that carry its id; whoever may not read all of these, or a trace that belongs to none, sees it only
 * with every company.
 */
async function tracesInScope(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  traceIds: readonly string[],
): Promise<ReadableTrace[]> {
  const asked = [...new Set(traceIds)];
  return inScope(companies, asked, await keysOfTraces(clickhouse, asked));
}

/** The same, of traces of which it is known what they name. */
export function inScope(
  companies: CompanyScope,
  traceIds: readonly string[],
  named: ReadonlyMap<string, TraceKeys>,
): ReadableTrace[] {
  return traceIds.flatMap((traceId) => {
    const own = [...(named.get(traceId)?.companies ?? [])];
    const isReadable = companies === '*' || (own.length > 0 && own.every((one) => companies.includes(one)));
    return isReadable ? [{ traceId, keys: named.get(traceId)?.keys ?? [] }] : [];
  });
}

/** The ids alone; what everybody may read costs nothing. */
export async function readableTraces(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  traceIds: readonly string[],
): Promise<string[]> {
  if (companies === '*' || traceIds.length === 0) return [...new Set(traceIds)];
  return (await tracesInScope(clickhouse, companies, traceIds)).map(({ traceId }) => traceId);
}
