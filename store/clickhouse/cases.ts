import { CASE_LIMITS, type Case, type TimelineEntry, timelineOf, walkCase } from '../../model/case.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { Span } from '../../model/span.ts';
import type { ClickHouse } from './client.ts';
import { readableTraces } from './event-queries.ts';
import type { FinanceEventStore } from './finance-events.ts';

/** Reads spans, each once however often it was sent. */
export interface TraceReads {
  traceById(traceId: string): Promise<readonly Span[]>;
  /** Of each trace at most `limit` spans, 1,000. */
  spansOfTraces(traceIds: readonly string[], options?: { limit?: number }): Promise<readonly Span[]>;
}

export interface CaseReads {
  readonly clickhouse: ClickHouse;
  readonly events: Pick<FinanceEventStore, 'byJoinKeys'>;
  readonly traces: TraceReads;
}

export interface FoundCase extends Case {
  readonly timeline: readonly TimelineEntry[];
  readonly traceIds: readonly string[];
}

/** So many traces of a case are opened at most, and so many spans of each. */
const MAX_TRACES = 50;
const SPANS_A_TRACE = 500;

/**
 * The case of the join keys as far as the scope may read: its documents, and one timeline of their events and of the
 * spans of their traces. Events of other companies are neither shown nor walked through.
 */
export async function findCase(
  reads: CaseReads,
  companies: CompanyScope,
  start: readonly string[],
): Promise<FoundCase> {
  const found = await walkCase(start, async (joinKeys) => {
    const events = await reads.events.byJoinKeys(joinKeys);
    return companies === '*' ? events : events.filter((event) => companies.includes(event.company));
  });
  const events = found.documents.flatMap((document) => document.events);
  const named = events.flatMap((event) => (event.traceId ? [event.traceId] : []));
  const started = start.flatMap((key) => (key.startsWith('trace:') ? [key.slice('trace:'.length)] : []));
  const traceIds = await readableTraces(reads.clickhouse, companies, [...started, ...named]);
  const opened = traceIds.slice(0, MAX_TRACES);
  const spans = opened.length === 0 ? [] : await reads.traces.spansOfTraces(opened, { limit: SPANS_A_TRACE });
  const perTrace = Map.groupBy(spans, ({ traceId }) => traceId);
  const timeline = timelineOf(events, spans);
  return {
    ...found,
    edges: found.edges.slice(0, CASE_LIMITS.edges),
    truncated:
      found.truncated ||
      traceIds.length > MAX_TRACES ||
      [...perTrace.values()].some((own) => own.length === SPANS_A_TRACE) ||
      timeline.length > CASE_LIMITS.timeline ||
      found.edges.length > CASE_LIMITS.edges,
    timeline: timeline.slice(0, CASE_LIMITS.timeline),
    traceIds,
  };
}
