import { type EventRef, eventRefKey, type FinanceEvent } from '../../model/event.ts';
import { type ExceptionRow, eventRefsOf } from '../../store/postgres/exceptions.ts';
import type { LinkedSpan } from './signature.ts';

/** Reads the spans of traces; the trace store of ClickHouse is one. */
export interface SpanReader {
  spansOfTraces(traceIds: readonly string[]): Promise<readonly LinkedSpan[]>;
}

/** Reads events by source and id; the finance events of ClickHouse are one. */
export interface EventReader {
  byRefs(refs: readonly EventRef[]): Promise<readonly FinanceEvent[]>;
}

type Linking = Pick<ExceptionRow, 'source' | 'company' | 'events' | 'event_sources' | 'trace_ids'>;

export interface Evidence {
  spansOf(exception: Linking): LinkedSpan[];
  /** The batch that all of its events name, if they do. */
  batchOf(exception: Linking): string | undefined;
}

/** Of each exception at most so many traces and events are looked at. */
const LINKS = 5;
const TRACES_A_READ = 200;

/** Reads, in a few queries, the spans and events that the exceptions link to. */
export async function readEvidence(
  exceptions: readonly Linking[],
  deps: { spans?: SpanReader | undefined; events?: EventReader | undefined },
): Promise<Evidence> {
  const traces = new Set(
    exceptions.flatMap(({ trace_ids }) => trace_ids.slice(0, LINKS).map((id) => id.toLowerCase())),
  );
  const spans = Map.groupBy(await readSpans([...traces], deps.spans), ({ traceId }) => traceId.toLowerCase());
  const refs = exceptions.flatMap(linkedEvents);
  const found = refs.length > 0 ? ((await deps.events?.byRefs(refs)) ?? []) : [];
  const events = new Map(found.map((event) => [eventRefKey(event), event]));
  return {
    spansOf: ({ trace_ids }) => trace_ids.slice(0, LINKS).flatMap((id) => spans.get(id.toLowerCase()) ?? []),
    batchOf(exception) {
      const own = linkedEvents(exception)
        .flatMap((ref) => events.get(eventRefKey(ref)) ?? [])
        .filter((event) => event.company === exception.company);
      const batches = new Set(own.map((event) => event.keys.find(({ type }) => type === 'batch')?.value));
      const [batch] = batches;
      return batches.size === 1 ? batch : undefined;
    },
  };
}

const linkedEvents = (exception: Linking): EventRef[] => eventRefsOf(exception).slice(0, LINKS);

async function readSpans(ids: readonly string[], reader: SpanReader | undefined): Promise<LinkedSpan[]> {
  if (!reader) return [];
  const spans: LinkedSpan[] = [];
  for (let at = 0; at < ids.length; at += TRACES_A_READ) {
    spans.push(...(await reader.spansOfTraces(ids.slice(at, at + TRACES_A_READ))));
  }
  return spans;
}
