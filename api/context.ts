import DataLoader from 'dataloader';
import { type DocumentName, documentId } from '../model/case-document.ts';
import { type Company, companyFinder } from '../model/company.ts';
import { type EventRef, eventRefKey, type FinanceEvent } from '../model/event.ts';
import type { Flow } from '../model/flow.ts';
import type { LogRecord } from '../model/log.ts';
import { DEFAULT_POLICY, type Policy } from '../model/policy.ts';
import { type Actor, type CompanyScope, companyScope } from '../model/principal.ts';
import type { Span } from '../model/span.ts';
import { dateOf } from '../model/time.ts';
import type { TraceReads } from '../store/clickhouse/case-traces.ts';
import type { ClickHouse } from '../store/clickhouse/client.ts';
import type { FinanceEventStore } from '../store/clickhouse/finance-events.ts';
import { openLogs } from '../store/clickhouse/logs.ts';
import { documentsOfTraces, type TraceDocuments } from '../store/clickhouse/span-documents.ts';
import { readableTraces } from '../store/clickhouse/trace-rights.ts';
import { type TraceSummary, traceSummaries } from '../store/clickhouse/trace-summaries.ts';
import type { StreamName } from '../store/intake/sums.ts';
import type { LetterReplay } from '../store/letter-replay.ts';
import type { Postgres } from '../store/postgres/database.ts';
import {
  type ExceptionListRow,
  exceptionsById,
  exceptionsOfDocuments,
} from '../store/postgres/exception-queries.ts';
import {
  type AssessmentRow,
  assessmentsOf,
  incidentsById,
  rulesOfIncidents,
} from '../store/postgres/incident-queries.ts';
import type { IncidentRow } from '../store/postgres/incidents.ts';
import { namesOf } from '../store/postgres/principal-queries.ts';
import { proposalsOf, type StoredProposal } from '../store/postgres/proposals.ts';
import { intakeOf, type StreamIntake } from '../store/postgres/streams.ts';
import { type Allowance, createAllowance } from './allowance.ts';
import { QUERY_LIMITS } from './limits.ts';
import { type RuleBook, ruleBook } from './rule-book.ts';

/** What the answers are read from. */
export interface Reads {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly events: Pick<FinanceEventStore, 'byRefs'>;
  readonly traces: TraceReads;
  /** Takes dead letters through again; left out where there is no intake. */
  readonly letters?: LetterReplay | undefined;
  /** The companies of companies.yaml, as of now. */
  readonly companies: () => readonly Company[];
  /** The catalogued flows, as of now: they name rules, owners and runbooks. */
  readonly flows?: (() => readonly Flow[]) | undefined;
  /** Who may do what; the default policy when left out. */
  readonly policy?: (() => Policy) | undefined;
}

/** One request: who asks, which companies are readable, the instant, and loaders that read each row once. */
export interface ApiContext extends Reads {
  readonly policy: () => Policy;
  readonly actor: Actor;
  readonly scope: CompanyScope;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly rules: RuleBook;
  /** The spans and lines of timelines that the answer may still hold. */
  readonly spans: Allowance;
  /** The log records that the answer may still hold. */
  readonly logs: Allowance;
  /** The company of a key; one with every default when companies.yaml does not name it. */
  readonly company: (key: string) => Company;
  readonly load: {
    readonly incident: DataLoader<string, IncidentRow | undefined>;
    readonly assessments: DataLoader<string, readonly AssessmentRow[]>;
    readonly exception: DataLoader<string, ExceptionListRow | undefined>;
    readonly event: DataLoader<EventRef, FinanceEvent | undefined, string>;
    /** The proposals of an incident, the newest first. */
    readonly proposals: DataLoader<string, readonly StoredProposal[]>;
    /** The rules of an incident's exceptions. */
    readonly rules: DataLoader<string, readonly string[]>;
    /** The name of a principal; the id of one that has none, such as the administrator. */
    readonly name: DataLoader<string, string>;
    /** What the spans of a trace (lower-case id) come to; undefined when there are none, or it may not be read. */
    readonly trace: DataLoader<string, TraceSummary | undefined>;
    /** The spans of a trace that may be read (lower-case id), in the order of time: the first `MAX_SPANS`. */
    /** Documents by trace. */
    readonly documents: DataLoader<string, TraceDocuments>;
    readonly spans: DataLoader<string, readonly Span[]>;
    /** What came of a stream, at which rate, what of it was lost, and what it tells of its sender's clock. */
    readonly intake: DataLoader<StreamName, StreamIntake, string>;
    /** The log records of a trace that may be read (lower-case id), in the order of time: the first `MAX_LOGS`. */
    readonly logs: DataLoader<string, readonly LogRecord[]>;
    /** The exceptions of a document, the worst first: 20 at most. */
    readonly exceptionsOfDocument: DataLoader<DocumentName, readonly ExceptionListRow[], string>;
  };
}

/** The rows in the order of the ids, undefined where there is none. */
function inOrder<T>(ids: readonly string[], rows: readonly T[], id: (row: T) => string): (T | undefined)[] {
  const byId = new Map(rows.map((row) => [id(row), row]));
  return ids.map((wanted) => byId.get(wanted));
}

const TRACES_AT_ONCE = 20;
/** Of a trace so many spans are shown at most. */
export const MAX_SPANS = QUERY_LIMITS.spans;
/** Of a trace so many log records are shown at most. */
export const MAX_LOGS = 1000;

async function spansByTrace({ traces }: Reads, ids: readonly string[]): Promise<Span[][]> {
  const byTrace = new Map<string, Span[]>(ids.map((id) => [id, []]));
  for (const span of await traces.spansOfTraces(ids, { limit: MAX_SPANS }))
    byTrace.get(span.traceId)?.push(span);
  return ids.map((id) => byTrace.get(id) ?? []);
}

async function logsByTrace({ clickhouse }: Reads, ids: readonly string[]): Promise<LogRecord[][]> {
  const records = await openLogs(clickhouse).logsOfTraces(ids, { limit: MAX_LOGS });
  const byTrace = Map.groupBy(records, ({ traceId }) => traceId);
  return ids.map((id) => byTrace.get(id) ?? []);
}

export function createContext(reads: Reads, actor: Actor, now: bigint): ApiContext {
  const scope = companyScope(actor);
  const { postgres, clickhouse } = reads;
  return {
    ...reads,
    policy: reads.policy ?? (() => DEFAULT_POLICY),
    actor,
    scope,
    now,
    rules: ruleBook(reads.flows?.() ?? []),
    spans: createAllowance(QUERY_LIMITS.spans, 'spans and lines of timelines'),
    logs: createAllowance(QUERY_LIMITS.logs, 'log records'),
    company: companyFinder(reads.companies()),
    load: {
      incident: new DataLoader(async (ids) =>
        inOrder(ids, await incidentsById(postgres, scope, ids), (row) => row.id),
      ),
      proposals: new DataLoader(async (ids) => {
        const byIncident = Map.groupBy(await proposalsOf(postgres, ids), ({ row }) => row.incident);
        return ids.map((id) => byIncident.get(id) ?? []);
      }),
      exception: new DataLoader(async (ids) =>
        inOrder(ids, await exceptionsById(postgres, scope, ids), (row) => row.id),
      ),
      event: new DataLoader(
        async (refs) => {
          const found = new Map(
            (await reads.events.byRefs(refs)).map((event) => [eventRefKey(event), event]),
          );
          return refs.map((ref) => found.get(eventRefKey(ref)));
        },
        { cacheKeyFn: eventRefKey },
      ),
      assessments: new DataLoader(async (ids) => {
        const rows = await assessmentsOf(postgres, ids);
        return ids.map((id) => rows.filter((row) => row.incident === id));
      }),
      rules: new DataLoader(async (ids) => {
        const rows = await rulesOfIncidents(postgres, ids);
        return ids.map((id) => rows.filter((row) => row.incident === id).map((row) => row.rule));
      }),
      name: new DataLoader(async (ids) => {
        const names = inOrder(ids, await namesOf(postgres, ids), (row) => row.id);
        return ids.map((id, n) => names[n]?.name ?? id);
      }),
      trace: new DataLoader(
        async (ids) => {
          const readable = await readableTraces(clickhouse, scope, ids);
          return inOrder(ids, await traceSummaries(clickhouse, readable), (row) => row.traceId);
        },
        { maxBatchSize: TRACES_AT_ONCE },
      ),
      documents: new DataLoader(
        async (ids) => {
          const found = await documentsOfTraces(clickhouse, scope, ids);
          return ids.map((id) => found.get(id) ?? { all: [], bySpan: new Map() });
        },
        { maxBatchSize: TRACES_AT_ONCE },
      ),
      spans: new DataLoader(async (ids) => await spansByTrace(reads, ids), { maxBatchSize: TRACES_AT_ONCE }),
      intake: new DataLoader(async (streams) => await intakeOf(postgres, streams, dateOf(now)), {
        cacheKeyFn: ({ source, company, stream }) => [source, company, stream].join('\n'),
      }),
      logs: new DataLoader(async (ids) => await logsByTrace(reads, ids), { maxBatchSize: TRACES_AT_ONCE }),
      exceptionsOfDocument: new DataLoader(
        async (names) => {
          const rows = await exceptionsOfDocuments(postgres, scope, names);
          const byDocument = Map.groupBy(rows, documentId);
          return names.map((name) => byDocument.get(documentId(name)) ?? []);
        },
        { cacheKeyFn: documentId },
      ),
    },
  };
}
