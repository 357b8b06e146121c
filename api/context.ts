import DataLoader from 'dataloader';
import type { Company } from '../model/company.ts';
import type { Flow } from '../model/flow.ts';
import { type Actor, type CompanyScope, companyScope } from '../model/principal.ts';
import type { TraceReads } from '../store/clickhouse/cases.ts';
import type { ClickHouse } from '../store/clickhouse/client.ts';
import type { FinanceEventStore } from '../store/clickhouse/finance-events.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { type ExceptionListRow, exceptionsById } from '../store/postgres/exception-queries.ts';
import {
  type AssessmentRow,
  assessmentsOf,
  incidentsById,
  rulesOfIncidents,
} from '../store/postgres/incident-queries.ts';
import type { IncidentRow } from '../store/postgres/incidents.ts';
import { type RuleBook, ruleBook } from './rule-book.ts';

/** What the answers are read from. */
export interface Reads {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly events: Pick<FinanceEventStore, 'byIds' | 'byJoinKeys'>;
  readonly traces: TraceReads;
  /** The companies of companies.yaml, as of now. */
  readonly companies: () => readonly Company[];
  /** The catalogued flows, as of now: they name rules, owners and runbooks. */
  readonly flows?: (() => readonly Flow[]) | undefined;
}

/** One request: who asks, which companies are readable, the instant, and loaders that read each row once. */
export interface ApiContext extends Reads {
  readonly actor: Actor;
  readonly scope: CompanyScope;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly rules: RuleBook;
  readonly load: {
    readonly incident: DataLoader<string, IncidentRow | undefined>;
    readonly assessments: DataLoader<string, readonly AssessmentRow[]>;
    readonly exception: DataLoader<string, ExceptionListRow | undefined>;
    /** The rules of an incident's exceptions. */
    readonly rules: DataLoader<string, readonly string[]>;
  };
}

/** The rows in the order of the ids, undefined where there is none. */
function inOrder<T>(ids: readonly string[], rows: readonly T[], id: (row: T) => string): (T | undefined)[] {
  const byId = new Map(rows.map((row) => [id(row), row]));
  return ids.map((wanted) => byId.get(wanted));
}

export function createContext(reads: Reads, actor: Actor, now: bigint): ApiContext {
  const scope = companyScope(actor);
  const { postgres } = reads;
  return {
    ...reads,
    actor,
    scope,
    now,
    rules: ruleBook(reads.flows?.() ?? []),
    load: {
      incident: new DataLoader(async (ids) =>
        inOrder(ids, await incidentsById(postgres, scope, ids), (row) => row.id),
      ),
      exception: new DataLoader(async (ids) =>
        inOrder(ids, await exceptionsById(postgres, scope, ids), (row) => row.id),
      ),
      assessments: new DataLoader(async (ids) => {
        const rows = await assessmentsOf(postgres, ids);
        return ids.map((id) => rows.filter((row) => row.incident === id));
      }),
      rules: new DataLoader(async (ids) => {
        const rows = await rulesOfIncidents(postgres, ids);
        return ids.map((id) => rows.filter((row) => row.incident === id).map((row) => row.rule));
      }),
    },
  };
}
