import { type Selectable, sql } from 'kysely';
import type { ExceptionState } from '../../model/exception.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { Severity } from '../../model/severity.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
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
}

export const exceptionCursor = (row: ExceptionListRow): string => encodeCursor([row.openedKey, row.id]);

function filtered(postgres: Postgres, filter: ExceptionFilter) {
  let query = postgres.db.selectFrom('exceptions');
  query = query.where(inScope('company', filter.companies));
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  if (filter.states?.length) query = query.where('state', 'in', filter.states);
  if (filter.severities?.length) query = query.where('severity', 'in', filter.severities);
  if (filter.rule !== undefined) query = query.where('rule', '=', filter.rule);
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
  return query;
}

const rows = (query: ReturnType<typeof filtered>) =>
  query.selectAll().select(sql<string>`opened_at::text`.as('openedKey'));

/** Exceptions, the newest first. */
export async function listExceptions(
  postgres: Postgres,
  filter: ExceptionFilter,
  page: Page,
): Promise<ExceptionListRow[]> {
  const after = decodeCursor(page.after, [/^\d{4}-\d\d-\d\d [\d:.+-]{8,32}$/, /^.+$/s]);
  let query = rows(filtered(postgres, filter));
  if (after) query = query.where(sql<boolean>`(opened_at, id) < (${after[0]}::timestamptz, ${after[1]})`);
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
