import type { EventHead } from './event.ts';
import type { LogHead } from './log.ts';
import type { SpanHead } from './span.ts';
import { parseInstant } from './time.ts';

/** One line of a timeline: what happened when (nanoseconds since 1970). */
export type TimelineEntry =
  | { readonly kind: 'event'; readonly at: bigint; readonly event: EventHead }
  | { readonly kind: 'span'; readonly at: bigint; readonly span: SpanHead }
  | { readonly kind: 'log'; readonly at: bigint; readonly log: LogHead };

const RANK = { event: 0, span: 1, log: 2 } as const;

/**
 * Events, spans and log records in one order of time; at the same instant events keep their own order and come before spans,
 * and spans before log records.
 */
export function timelineOf(
  events: readonly EventHead[],
  spans: readonly SpanHead[],
  logs: readonly LogHead[] = [],
): TimelineEntry[] {
  const entries: TimelineEntry[] = [
    ...events.map((event): TimelineEntry => ({ kind: 'event', at: parseInstant(event.time) ?? 0n, event })),
    ...spans.map((span): TimelineEntry => ({ kind: 'span', at: BigInt(span.startNs), span })),
    ...logs.map((log): TimelineEntry => ({ kind: 'log', at: BigInt(log.timeNs), log })),
  ];
  const order = (entry: TimelineEntry): bigint =>
    entry.kind === 'event' ? BigInt(entry.event.sequence) : 0n;
  return entries.sort((a, b) => {
    if (a.at !== b.at) return a.at < b.at ? -1 : 1;
    if (a.kind !== b.kind) return RANK[a.kind] - RANK[b.kind];
    const [x, y] = [order(a), order(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
}
