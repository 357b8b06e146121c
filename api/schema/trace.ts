import type { DocumentName } from '../../model/case-document.ts';
import type { Span, SpanEvent, SpanHead, SpanLink } from '../../model/span.ts';
import { formatInstant } from '../../model/time.ts';
import { listEvents } from '../../store/clickhouse/event-queries.ts';
import { type ApiContext, MAX_LOGS, MAX_SPANS } from '../context.ts';
import { builder } from './builder.ts';
import { rowsAsked, USUAL_LOGS, USUAL_LOGS_OF_SPAN, USUAL_SPANS } from './connection.ts';
import { FinanceEventRef, LogRecordRef, SpanRef, TraceRef } from './refs.ts';
import { instantOfNanos, KeyValueRef, keyValues } from './scalars.ts';

const DocumentNameRef = builder.objectRef<DocumentName>('DocumentName').implement({
  description: 'Names a document; caseOf(company:, source:, subject:) has the rest of it.',
  fields: (t) => ({
    company: t.exposeString('company'),
    source: t.exposeString('source'),
    subject: t.exposeString('subject'),
  }),
});

const SpanEventRef = builder.objectRef<SpanEvent>('SpanEvent').implement({
  fields: (t) => ({
    at: t.field({ type: 'Instant', resolve: (event) => instantOfNanos(event.timeNs) }),
    timeNs: t.exposeString('timeNs'),
    name: t.exposeString('name'),
    attributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 5 },
      resolve: (event) => keyValues(event.attributes),
    }),
  }),
});

const SpanLinkRef = builder.objectRef<SpanLink>('SpanLink').implement({
  fields: (t) => ({
    traceId: t.exposeString('traceId'),
    spanId: t.exposeString('spanId'),
    traceState: t.exposeString('traceState'),
    attributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 5 },
      resolve: (link) => keyValues(link.attributes),
    }),
  }),
});

/** All of a span of which a timeline has the head. */
const whole = async (
  span: SpanHead & Partial<Span>,
  { load }: Pick<ApiContext, 'load'>,
): Promise<Partial<Span> | undefined> =>
  span.attributes === undefined
    ? (await load.spans.load(span.traceId)).find(({ spanId }) => spanId === span.spanId)
    : span;

SpanRef.implement({
  description: 'A span as it was sent; whole numbers of nanoseconds are text, for they do not fit a double.',
  fields: (t) => ({
    traceId: t.exposeString('traceId'),
    spanId: t.exposeString('spanId'),
    parentSpanId: t.string({ nullable: true, resolve: (span) => span.parentSpanId || null }),
    traceState: t.string({
      resolve: async (span, _, context) => (await whole(span, context))?.traceState ?? '',
    }),
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
    scopeName: t.string({
      resolve: async (span, _, context) => (await whole(span, context))?.scopeName ?? '',
    }),
    scopeVersion: t.string({
      resolve: async (span, _, context) => (await whole(span, context))?.scopeVersion ?? '',
    }),
    resourceAttributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: async (span, _, context) => keyValues((await whole(span, context))?.resourceAttributes ?? {}),
    }),
    attributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: async (span, _, context) => keyValues((await whole(span, context))?.attributes ?? {}),
    }),
    events: t.field({
      type: [SpanEventRef],
      extensions: { costRows: 5 },
      resolve: async (span, _, context) => [...((await whole(span, context))?.events ?? [])],
    }),
    links: t.field({
      type: [SpanLinkRef],
      extensions: { costRows: 2 },
      resolve: async (span, _, context) => [...((await whole(span, context))?.links ?? [])],
    }),
    documents: t.field({
      type: [DocumentNameRef],
      description: 'Documents of which the span holds a correlation key',
      extensions: { costRows: 5 },
      resolve: async ({ traceId, spanId }, _, { load }) => [
        ...((await load.documents.load(traceId)).bySpan.get(spanId) ?? []),
      ],
    }),
    logs: t.field({
      type: [LogRecordRef],
      description: `Those of the span among the first ${MAX_LOGS} log records of its trace, in order of time. logs(traceId:, spanId:) has the others too.`,
      extensions: { costRows: USUAL_LOGS_OF_SPAN },
      resolve: async ({ traceId, spanId }, _, { load, logs }) => {
        const own = (await load.logs.load(traceId)).filter((record) => record.spanId === spanId);
        logs.take(own.length);
        return own;
      },
    }),
  }),
});

TraceRef.implement({
  description:
    'A trace. What it says of all spans counts every one of them, also those that it does not show.',
  fields: (t) => ({
    id: t.exposeID('traceId'),
    startedAt: t.field({ type: 'Instant', resolve: ({ startNs }) => instantOfNanos(startNs) }),
    durationNs: t.string({ resolve: ({ startNs, endNs }) => `${BigInt(endNs) - BigInt(startNs)}` }),
    services: t.stringList({ resolve: ({ services }) => [...services] }),
    spanCount: t.exposeInt('spans', { description: 'Spans, each once however often it was sent' }),
    errorCount: t.exposeInt('errors', { description: 'Spans that ended in error' }),
    truncated: t.boolean({
      description: `There are more than the ${MAX_SPANS} spans that are shown at most`,
      resolve: ({ spans }) => spans > MAX_SPANS,
    }),
    spans: t.field({
      type: [SpanRef],
      description: 'In order of time',
      args: { first: t.arg.int({ required: true, defaultValue: MAX_SPANS }) },
      extensions: { costRows: USUAL_SPANS },
      resolve: async ({ traceId, spans }, { first }, { load, spans: allowance }) => {
        const rows = rowsAsked(first, MAX_SPANS);
        // All of them are read, however few are shown.
        allowance.take(Math.min(spans, MAX_SPANS));
        return (await load.spans.load(traceId)).slice(0, rows);
      },
    }),
    logs: t.field({
      type: [LogRecordRef],
      description: 'In order of time, each once however often it was sent',
      args: { first: t.arg.int({ required: true, defaultValue: MAX_LOGS }) },
      extensions: { costRows: USUAL_LOGS },
      resolve: async ({ traceId }, { first }, { load, logs }) => {
        const rows = rowsAsked(first, MAX_LOGS);
        const records = (await load.logs.load(traceId)).slice(0, rows);
        logs.take(records.length);
        return records;
      },
    }),
    documents: t.field({
      type: [DocumentNameRef],
      description:
        'Documents of which a span of it holds a correlation key, or an event of which carries its id',
      extensions: { costRows: 50 },
      resolve: async ({ traceId }, _, { load }) => [...(await load.documents.load(traceId)).all],
    }),
    events: t.field({
      type: [FinanceEventRef],
      description: 'The finance events that carry the trace id (200 at most): from a span to the document',
      extensions: { costRows: 200 },
      resolve: ({ traceId }, _, { clickhouse, scope }) =>
        listEvents(clickhouse, { companies: scope, traceId }, { limit: 200 }),
    }),
  }),
});

builder.queryFields((t) => ({
  trace: t.field({
    type: TraceRef,
    nullable: true,
    description:
      'A trace by its id of 32 hex digits. Who may not read every company sees only traces of which all spans that name a company, and all finance events, are of companies that they may read.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, args, { load }) => (await load.trace.load(args.id.toLowerCase())) ?? null,
  }),
}));
