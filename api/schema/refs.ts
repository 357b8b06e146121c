import type { CaseDocument } from '../../model/case-document.ts';
import type { EventHead } from '../../model/event.ts';
import type { LogHead, LogRecord } from '../../model/log.ts';
import type { Span, SpanHead } from '../../model/span.ts';
import type { TraceSummary } from '../../store/clickhouse/trace-summaries.ts';
import type { ExceptionListRow } from '../../store/postgres/exception-queries.ts';
import type { IncidentRow } from '../../store/postgres/incidents.ts';
import type { StoredProposal } from '../../store/postgres/proposals.ts';
import { builder } from './builder.ts';

/** Types that refer to each other: declared here, each implemented in its own file. */
export const IncidentRef = builder.objectRef<IncidentRow>('Incident');
export const ExceptionRef = builder.objectRef<ExceptionListRow>('Exception');
export const FinanceEventRef = builder.objectRef<EventHead & { readonly data?: string | undefined }>(
  'FinanceEvent',
);
export const LogRecordRef = builder.objectRef<LogHead & Partial<LogRecord>>('LogRecord');
export const SpanRef = builder.objectRef<SpanHead & Partial<Span>>('Span');
export const TraceRef = builder.objectRef<TraceSummary>('Trace');
export const ProposalRef = builder.objectRef<StoredProposal>('Proposal');
export const CaseDocumentRef = builder.objectRef<CaseDocument>('CaseDocument');
