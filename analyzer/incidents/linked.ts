import type { FinanceEvent } from '../../model/event.ts';
import type { LinkedSpan } from './signature.ts';

/** Reads the spans of traces; the trace store of ClickHouse is one. */
export interface SpanReader {
  spansOfTraces(traceIds: readonly string[]): Promise<readonly LinkedSpan[]>;
}

/** Reads events by id; the finance events of ClickHouse are one. */
export interface EventReader {
  byIds(ids: readonly string[]): Promise<readonly FinanceEvent[]>;
}

interface Linking {
  readonly source: string;
  readonly company: string;
  readonly events: readonly string[];
  readonly trace_ids: readonly string[];
}

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
  const ids = new Set(exceptions.flatMap(({ events }) => events.slice(0, LINKS)));
  const events = Map.groupBy(
    ids.size > 0 ? ((await deps.events?.byIds([...ids])) ?? []) : [],
    ({ id }) => id,
  );
  return {
    spansOf: ({ trace_ids }) => trace_ids.slice(0, LINKS).flatMap((id) => spans.get(id.toLowerCase()) ?? []),
    batchOf({ company, events: linked }) {
      const own = linked
        .slice(0, LINKS)
        .flatMap((id) => events.get(id) ?? [])
        .filter((event) => event.company === company);
      const batches = new Set(own.map((event) => event.keys.find(({ type }) => type === 'batch')?.value));
      const [batch] = batches;
      return batches.size === 1 ? batch : undefined;
    },
  };
}

async function readSpans(ids: readonly string[], reader: SpanReader | undefined): Promise<LinkedSpan[]> {
  if (!reader) return [];
  const spans: LinkedSpan[] = [];
  for (let at = 0; at < ids.length; at += TRACES_A_READ) {
    spans.push(...(await reader.spansOfTraces(ids.slice(at, at + TRACES_A_READ))));
  }
  return spans;
}
