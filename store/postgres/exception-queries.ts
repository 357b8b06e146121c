import { type Selectable, sql } from 'kysely';
import type { DocumentName } from '../../model/case-document.ts';
import type { ExceptionState } from '../../model/exception.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { CloseImpact, Severity } from '../../model/severity.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
import type { Order } from './order.ts';
import type { ExceptionTable } from './schema.ts';
import { inScope } from './scope.ts';

/** An exception; `openedKey` is the exact instant (microseconds) that a cursor needs and a Date cannot hold. */
export type ExceptionListRow = Selectable<ExceptionTable> & { readonly openedKey: string };

export interface ExceptionFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly states?: readonly ExceptionState[] | undefined;
  readonly severities?: readonly Severity[] | undefined;
  readonly rule?: string | undefined;
  readonly incident?: string | undefined;
  readonly subject?: string | undefined;
  readonly closeImpact?: CloseImpact | undefined;
  /** Epoch nanoseconds: only those of documents that began before. */
  readonly anchoredBefore?: bigint | undefined;
}

/** The cursor of an exception in a list of this order. */
export const exceptionCursor =
  (order: Order) =>
  (row: ExceptionListRow): string =>
    encodeCursor([...(order === 'worst' ? [`${row.rank}`] : []), row.openedKey, row.id]);

function filtered(postgres: Postgres, filter: ExceptionFilter) {
  let query = postgres.db.selectFrom('exceptions');
  query = query.where(inScope('company', filter.companies));
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  if (filter.states?.length) query = query.where('state', 'in', filter.states);
  if (filter.severities?.length) query = query.where('severity', 'in', filter.severities);
  if (filter.rule !== undefined) query = query.where('rule', '=', filter.rule);
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
  if (filter.closeImpact !== undefined) query = query.where('close_impact', '=', filter.closeImpact);
  if (filter.anchoredBefore !== undefined) query = query.where('anchor_ns', '<', `${filter.anchoredBefore}`);
  return query;
}

const rows = (query: ReturnType<typeof filtered>) =>
  query.selectAll().select(sql<string>`opened_at::text`.as('openedKey'));

const OPENED = /^\d{4}-\d\d-\d\d [\d:.+-]{8,32}$/;

/** Exceptions in the order asked for. */
export async function listExceptions(
  postgres: Postgres,
  filter: ExceptionFilter,
  page: Page,
  order: Order = 'newest',
): Promise<ExceptionListRow[]> {
  let query = rows(filtered(postgres, filter));
  if (order === 'newest') {
    const after = decodeCursor(page.after, [OPENED, /^.+$/s]);
    if (after) query = query.where(sql<boolean>`(opened_at, id) < (${after[0]}::timestamptz, ${after[1]})`);
  } else {
    const after = decodeCursor(page.after, [/^\d{1,2}$/, OPENED, /^.+$/s]);
    if (after)
      query = query.where(
        sql<boolean>`(rank, opened_at, id) < (${after[0]}::int, ${after[1]}::timestamptz, ${after[2]})`,
      );
    query = query.orderBy('rank', 'desc');
  }
  return await query.orderBy('opened_at', 'desc').orderBy('id', 'desc').limit(page.limit).execute();
}

export async function countExceptions(postgres: Postgres, filter: ExceptionFilter): Promise<number> {
  const row = await filtered(postgres, filter)
    .select((eb) => eb.fn.countAll().as('n'))
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

export async function exceptionsById(
  postgres: Postgres,
  companies: CompanyScope,
  ids: readonly string[],
): Promise<ExceptionListRow[]> {
  if (ids.length === 0) return [];
  return await rows(filtered(postgres, { companies })).where('id', 'in', ids).execute();
}

/** Of one document so many exceptions are given at most. */
export const EXCEPTIONS_A_DOCUMENT = 20;

/** The exceptions of the documents, of each the worst first and 20 at most, in one query. */
export async function exceptionsOfDocuments(
  postgres: Postgres,
  companies: CompanyScope,
  documents: readonly DocumentName[],
): Promise<ExceptionListRow[]> {
  if (documents.length === 0) return [];
  const asked = JSON.stringify(
    documents.map(({ company, source, subject }) => ({ company, source, subject })),
  );
  const { rows } = await sql<ExceptionListRow>`
    SELECT found.* FROM json_to_recordset(${asked}::json) AS asked (company text, source text, subject text)
    CROSS JOIN LATERAL (
      SELECT *, opened_at::text AS "openedKey" FROM exceptions
      WHERE exceptions.company = asked.company AND exceptions.source = asked.source
        AND exceptions.subject = asked.subject AND ${inScope('exceptions.company', companies)}
      ORDER BY rank DESC, opened_at DESC, id DESC LIMIT ${EXCEPTIONS_A_DOCUMENT}
    ) AS found`.execute(postgres.db);
  return rows;
}
