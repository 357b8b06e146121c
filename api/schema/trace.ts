import type { SpanEvent, SpanLink } from '../../model/span.ts';
import { formatInstant } from '../../model/time.ts';
import { listEvents } from '../../store/clickhouse/event-queries.ts';
import { builder } from './builder.ts';
import { FinanceEventRef, SpanRef, type Trace, TraceRef } from './refs.ts';
import { instantOfNanos, KeyValueRef, keyValues } from './scalars.ts';

const SpanEventRef = builder.objectRef<SpanEvent>('SpanEvent').implement({
  fields: (t) => ({
    at: t.field({ type: 'Instant', resolve: (event) => instantOfNanos(event.timeNs) }),
    timeNs: t.exposeString('timeNs'),
    name: t.exposeString('name'),
    attributes: t.field({ type: [KeyValueRef], resolve: (event) => keyValues(event.attributes) }),
  }),
});

const SpanLinkRef = builder.objectRef<SpanLink>('SpanLink').implement({
  fields: (t) => ({
    traceId: t.exposeString('traceId'),
    spanId: t.exposeString('spanId'),
    traceState: t.exposeString('traceState'),
    attributes: t.field({ type: [KeyValueRef], resolve: (link) => keyValues(link.attributes) }),
  }),
});

SpanRef.implement({
  description: 'A span as it was sent; whole numbers of nanoseconds are text, for they do not fit a double.',
  fields: (t) => ({
    traceId: t.exposeString('traceId'),
    spanId: t.exposeString('spanId'),
    parentSpanId: t.string({ nullable: true, resolve: (span) => span.parentSpanId || null }),
    traceState: t.exposeString('traceState'),
    name: t.exposeString('name'),
    kind: t.exposeString('kind'),
    service: t.exposeString('service'),
    startedAt: t.field({ type: 'Instant', resolve: (span) => instantOfNanos(span.startNs) }),
    endedAt: t.field({
      type: 'Instant',
      resolve: (span) => formatInstant(BigInt(span.startNs) + BigInt(span.durationNs)),
    }),
    startNs: t.exposeString('startNs', { description: 'Nanoseconds since 1970-01-01T00:00:00Z' }),
    durationNs: t.exposeString('durationNs', { description: 'Nanoseconds' }),
    statusCode: t.exposeString('statusCode', { description: 'Unset, Ok or Error' }),
    statusMessage: t.exposeString('statusMessage'),
    scopeName: t.exposeString('scopeName'),
    scopeVersion: t.exposeString('scopeVersion'),
    resourceAttributes: t.field({
      type: [KeyValueRef],
      resolve: (span) => keyValues(span.resourceAttributes),
    }),
    attributes: t.field({ type: [KeyValueRef], resolve: (span) => keyValues(span.attributes) }),
    events: t.field({ type: [SpanEventRef], resolve: (span) => [...span.events] }),
    links: t.field({ type: [SpanLinkRef], resolve: (span) => [...span.links] }),
  }),
});

const startOf = ({ spans }: Trace): bigint =>
  spans.reduce(
    (first, span) => (BigInt(span.startNs) < first ? BigInt(span.startNs) : first),
    BigInt(spans[0]?.startNs ?? 0),
  );
const endOf = ({ spans }: Trace): bigint =>
  spans.reduce((last, span) => {
    const end = BigInt(span.startNs) + BigInt(span.durationNs);
    return end > last ? end : last;
  }, 0n);

TraceRef.implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    startedAt: t.field({ type: 'Instant', resolve: (trace) => formatInstant(startOf(trace)) }),
    durationNs: t.string({ resolve: (trace) => `${endOf(trace) - startOf(trace)}` }),
    services: t.stringList({
      resolve: ({ spans }) => [...new Set(spans.map((span) => span.service))].sort(),
    }),
    errorCount: t.int({ resolve: ({ spans }) => spans.filter((span) => span.statusCode === 'Error').length }),
    spans: t.field({ type: [SpanRef], description: 'In order of time', resolve: ({ spans }) => [...spans] }),
    events: t.field({
      type: [FinanceEventRef],
      description: 'The finance events that carry the trace id (200 at most): from a span to the document',
      resolve: ({ id }, _, { clickhouse, scope }) =>
        listEvents(clickhouse, { companies: scope, traceId: id }, { limit: 200 }),
    }),
  }),
});

builder.queryFields((t) => ({
  trace: t.field({
    type: TraceRef,
    nullable: true,
    description:
      'A trace by its id of 32 hex digits. Spans name no company: who may not read every company sees only traces whose finance events are all of companies that they may read.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, args, { load }) => {
      const id = args.id.toLowerCase();
      const spans = await load.spans.load(id);
      return spans.length === 0 ? null : { id, spans };
    },
  }),
}));
