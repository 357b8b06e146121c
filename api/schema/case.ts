import { CASE_LIMITS, type GroupLink } from '../../model/case.ts';
import { type CaseDocument, documentId } from '../../model/case-document.ts';
import { type CaseEdge, EDGE_TYPES } from '../../model/case-edges.ts';
import type { TimelineEntry } from '../../model/case-timeline.ts';
import { contradictionsOf } from '../../model/contradiction.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { joinKey, KEY_STRENGTHS, parseKeyText } from '../../model/key.ts';
import { mayReadCompany } from '../../model/principal.ts';
import { formatInstant } from '../../model/time.ts';
import { type FoundCase, findCase } from '../../store/clickhouse/cases.ts';
import { EXCEPTIONS_A_DOCUMENT } from '../../store/postgres/exception-queries.ts';
import { builder } from './builder.ts';
import { rowsAsked, USUAL_SPANS } from './connection.ts';
import { ContradictionRef } from './contradiction.ts';
import { CaseDocumentRef, ExceptionRef, FinanceEventRef, LogRecordRef, SpanRef } from './refs.ts';

/** The last value that an event of the document has, in the order of events. */
const latest = <K extends 'docNumber' | 'state' | 'amount' | 'currency'>(document: CaseDocument, field: K) =>
  document.events.findLast((event) => event[field] !== undefined)?.[field] ?? null;

CaseDocumentRef.implement({
  description: 'A document: what one source calls one subject, within a company.',
  fields: (t) => ({
    id: t.id({ description: 'What edges name', resolve: documentId }),
    company: t.exposeString('company'),
    source: t.exposeString('source'),
    subject: t.exposeString('subject'),
    kind: t.exposeString('kind'),
    hop: t.exposeInt('hop', { description: 'How many edges from where the search began: 0 to 3' }),
    inferred: t.exposeBoolean('inferred', {
      description: 'Only a heuristic key leads to it: it may have nothing to do with the case',
    }),
    docNumber: t.string({ nullable: true, resolve: (document) => latest(document, 'docNumber') }),
    state: t.string({ nullable: true, resolve: (document) => latest(document, 'state') }),
    amount: t.field({ type: 'Decimal', nullable: true, resolve: (document) => latest(document, 'amount') }),
    currency: t.string({ nullable: true, resolve: (document) => latest(document, 'currency') }),
    eventCount: t.int({ resolve: ({ events }) => events.length }),
    firstAt: t.field({ type: 'Instant', nullable: true, resolve: ({ events }) => events[0]?.time ?? null }),
    lastAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: ({ events }) => events.at(-1)?.time ?? null,
    }),
    events: t.field({
      type: [FinanceEventRef],
      // All documents of a case together have 5,000 events at most: so many for each of its 200.
      extensions: { costRows: CASE_LIMITS.events / CASE_LIMITS.documents },
      resolve: ({ events }) => [...events],
    }),
    exceptions: t.field({
      type: [ExceptionRef],
      description: `What is or was wrong with it, the worst first (${EXCEPTIONS_A_DOCUMENT} at most)`,
      extensions: { costRows: EXCEPTIONS_A_DOCUMENT },
      resolve: async ({ company, source, subject }, _, { load }) => [
        ...(await load.exceptionsOfDocument.load({ company, source, subject })),
      ],
    }),
  }),
});

const EdgeTypeRef = builder.enumType('EdgeType', {
  description: 'What one document does to another; same: two sources tell of one document',
  values: EDGE_TYPES,
});
const KeyStrengthRef = builder.enumType('KeyStrength', {
  description: 'How sure a join by a key is: heuristic ones only suggest',
  values: KEY_STRENGTHS,
});

const CaseEdgeRef = builder.objectRef<CaseEdge>('CaseEdge').implement({
  description: 'Two documents that share a key.',
  fields: (t) => ({
    from: t.exposeString('from', { description: 'Id of the document that does it to the other one' }),
    to: t.exposeString('to'),
    type: t.expose('type', { type: EdgeTypeRef }),
    key: t.exposeString('key', { description: 'The surest of the keys that they share' }),
    strength: t.expose('strength', { type: KeyStrengthRef }),
    inferred: t.exposeBoolean('inferred', { description: 'Only a heuristic key joins them' }),
    score: t.exposeFloat('score', { description: '0 to 1: how sure the join is' }),
  }),
});

const MAX_CONTRADICTIONS = 100;

const GroupLinkRef = builder.objectRef<GroupLink>('GroupLink').implement({
  description: `A key that joins nothing: a batch, or one that more than ${CASE_LIMITS.fanOut} documents share.`,
  fields: (t) => ({
    key: t.exposeString('key'),
    documents: t.exposeInt('documents', { description: 'Documents that share it and that you may read' }),
  }),
});

const TimelineKind = builder.enumType('TimelineKind', { values: ['event', 'span', 'log'] as const });
const TimelineEntryRef = builder.objectRef<TimelineEntry>('TimelineEntry').implement({
  description: 'One line of a timeline: an event, a span or a log record.',
  fields: (t) => ({
    kind: t.expose('kind', { type: TimelineKind }),
    at: t.field({ type: 'Instant', resolve: ({ at }) => formatInstant(at) }),
    event: t.field({
      type: FinanceEventRef,
      nullable: true,
      resolve: (entry) => (entry.kind === 'event' ? entry.event : null),
    }),
    span: t.field({
      type: SpanRef,
      nullable: true,
      resolve: (entry) => (entry.kind === 'span' ? entry.span : null),
    }),
    log: t.field({
      type: LogRecordRef,
      nullable: true,
      resolve: (entry) => (entry.kind === 'log' ? entry.log : null),
    }),
  }),
});

const CaseRef = builder.objectRef<FoundCase & { readonly key: string }>('Case').implement({
  description: 'The documents that keys join, and one timeline of their events, spans and log records.',
  fields: (t) => ({
    key: t.exposeString('key'),
    documents: t.field({
      type: [CaseDocumentRef],
      extensions: { costRows: CASE_LIMITS.documents },
      resolve: ({ documents }) => [...documents],
    }),
    edges: t.field({
      type: [CaseEdgeRef],
      description: `${CASE_LIMITS.edges} at most`,
      extensions: { costRows: CASE_LIMITS.edges },
      resolve: ({ edges }) => [...edges],
    }),
    groups: t.field({
      type: [GroupLinkRef],
      description: 'Keys of its documents that too many others share to be one case',
      extensions: { costRows: 20 },
      resolve: ({ groups }) => [...groups],
    }),
    contradictions: t.field({
      type: [ContradictionRef],
      description: 'What two sources say differently of one of its documents',
      extensions: { costRows: 20 },
      resolve: ({ documents }) => contradictionsOf(documents).slice(0, MAX_CONTRADICTIONS),
    }),
    timeline: t.field({
      type: [TimelineEntryRef],
      description: 'In one order of time',
      args: { first: t.arg.int({ required: true, defaultValue: CASE_LIMITS.timeline }) },
      extensions: { costRows: USUAL_SPANS },
      resolve: ({ timeline }, { first }, { spans: allowance }) => {
        const lines = timeline.slice(0, rowsAsked(first, CASE_LIMITS.timeline));
        allowance.take(lines.length);
        return lines;
      },
    }),
    traceIds: t.stringList({ resolve: ({ traceIds }) => [...traceIds] }),
    truncated: t.exposeBoolean('truncated', {
      description:
        'There is more: 3 hops, 200 documents, 5,000 events, 50 traces with 500 spans and 100 log records each, and 2,000 lines of the timeline are shown at most',
    }),
  }),
});

builder.queryFields((t) => ({
  case: t.field({
    type: CaseRef,
    nullable: true,
    description: 'The case of a key, such as docno:acme:BILL/2026/05/0012, or trace:<32 hex digits>.',
    args: { key: t.arg.string({ required: true }) },
    resolve: async (_, { key }, context) => {
      const parsed = key.length > 2_048 ? undefined : parseKeyText(key.trim());
      if (!parsed)
        throw new ClosewatchError(
          'request.malformed',
          'a key is type:company:value, such as docno:acme:BILL/2026/05/0012',
        );
      const found = await findCase(context, context.scope, [parsed.joined]);
      return found.documents.length === 0 && found.timeline.length === 0 ? null : { ...found, key };
    },
  }),
  caseOf: t.field({
    type: CaseRef,
    nullable: true,
    description: 'The case of a document, as its source names it.',
    args: {
      company: t.arg.string({ required: true }),
      source: t.arg.string({ required: true }),
      subject: t.arg.string({ required: true }),
    },
    resolve: async (_, { company, source, subject }, context) => {
      if (!mayReadCompany(context.actor, company)) return null;
      const key = joinKey({ type: 'subject', value: subject }, { company, source });
      const found = await findCase(context, context.scope, [key]);
      return found.documents.some((document) => document.company === company) ? { ...found, key } : null;
    },
  }),
}));
