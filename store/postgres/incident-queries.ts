import { type Selectable, sql } from 'kysely';
import type { IncidentState } from '../../model/incident.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { Severity } from '../../model/severity.ts';
import type { Postgres } from './database.ts';
import type { IncidentRow } from './incidents.ts';
import type { Order } from './order.ts';
import { decodeCursor, encodeCursor, type Page } from './paging.ts';
import type { AssessmentTable, ChangeLogTable } from './schema.ts';
import { inScope } from './scope.ts';

export type AssessmentRow = Selectable<AssessmentTable>;
export type ChangeRow = Selectable<ChangeLogTable>;

export interface IncidentFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly states?: readonly IncidentState[] | undefined;
  readonly severities?: readonly Severity[] | undefined;
  readonly rule?: string | undefined;
}

/** The cursor of an incident in a list of this order; its number only rises. */
export const incidentCursor =
  (order: Order) =>
  (row: IncidentRow): string =>
    encodeCursor([...(order === 'worst' ? [`${row.rank}`] : []), row.number]);

function filtered(postgres: Postgres, filter: IncidentFilter) {
  let query = postgres.db.selectFrom('incidents');
  query = query.where(inScope('company', filter.companies));
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  if (filter.states?.length) query = query.where('state', 'in', filter.states);
  if (filter.severities?.length) query = query.where('severity', 'in', filter.severities);
  const { rule } = filter;
  if (rule !== undefined)
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('exceptions')
          .select('exceptions.id')
          .whereRef('exceptions.incident', '=', 'incidents.id')
          .where('exceptions.rule', '=', rule),
      ),
    );
  return query;
}

/** Incidents in the order asked for. */
export async function listIncidents(
  postgres: Postgres,
  filter: IncidentFilter,
  page: Page,
  order: Order = 'newest',
): Promise<IncidentRow[]> {
  let query = filtered(postgres, filter).selectAll();
  if (order === 'newest') {
    const after = decodeCursor(page.after, [/^\d{1,18}$/]);
    if (after) query = query.where('number', '<', after[0] as string);
  } else {
    const after = decodeCursor(page.after, [/^\d{1,2}$/, /^\d{1,18}$/]);
    if (after) query = query.where(sql<boolean>`(rank, number) < (${after[0]}::int, ${after[1]}::bigint)`);
    query = query.orderBy('rank', 'desc');
  }
  return await query.orderBy('number', 'desc').limit(page.limit).execute();
}

export async function countIncidents(postgres: Postgres, filter: IncidentFilter): Promise<number> {
  const row = await filtered(postgres, filter)
    .select((eb) => eb.fn.countAll().as('n'))
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

/** The incidents of the ids or numbers (a number is text of digits) that the scope may read. */
export async function incidentsById(
  postgres: Postgres,
  companies: CompanyScope,
  ids: readonly string[],
): Promise<IncidentRow[]> {
  if (ids.length === 0) return [];
  return await filtered(postgres, { companies }).selectAll().where('id', 'in', ids).execute();
}

export async function incidentByNumber(
  postgres: Postgres,
  companies: CompanyScope,
  number: string,
): Promise<IncidentRow | undefined> {
  return await filtered(postgres, { companies }).selectAll().where('number', '=', number).executeTakeFirst();
}

/** The assessments of the incidents, the newest version of each first. */
export async function assessmentsOf(
  postgres: Postgres,
  incidents: readonly string[],
): Promise<AssessmentRow[]> {
  if (incidents.length === 0) return [];
  return await postgres.db
    .selectFrom('assessments')
    .selectAll()
    .where('incident', 'in', incidents)
    .orderBy('version', 'desc')
    .execute();
}

/** What became of an incident, in the order in which it happened: the last `limit` changes. */
export async function incidentChanges(
  postgres: Postgres,
  companies: CompanyScope,
  incident: string,
  limit: number,
): Promise<ChangeRow[]> {
  let query = postgres.db
    .selectFrom('change_log')
    .selectAll()
    .where('entity', '=', 'incident')
    .where('entity_id', '=', incident);
  query = query.where(inScope('company', companies));
  return (await query.orderBy('seq', 'desc').limit(limit).execute()).reverse();
}

/** The rules of the incidents' exceptions, each once an incident, sorted. */
export async function rulesOfIncidents(
  postgres: Postgres,
  incidents: readonly string[],
): Promise<{ incident: string; rule: string }[]> {
  if (incidents.length === 0) return [];
  const rows = await postgres.db
    .selectFrom('exceptions')
    .select(['incident', 'rule'])
    .distinct()
    .where('incident', 'in', incidents)
    .orderBy('rule')
    .execute();
  return rows.flatMap(({ incident, rule }) => (incident === null ? [] : [{ incident, rule }]));
}
