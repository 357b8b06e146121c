import { type Selectable, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
import type { DeadLetterTable } from './schema.ts';
import { isOrLiesBelow } from './source-path.ts';

export type DeadLetterRow = Selectable<DeadLetterTable>;
export type DeadLetterState = DeadLetterRow['state'];

export interface DeadLetterFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly states?: readonly DeadLetterState[] | undefined;
  readonly ids?: readonly string[] | undefined;
  /** A source, and those below it. */
  readonly source?: string | undefined;
  /** A short event type, `bill.posted`. */
  readonly type?: string | undefined;
  readonly reason?: string | undefined;
  /** Received from then on. */
  readonly since?: Date | undefined;
}

/** Does a stream of any source send for the company that the letter names? */
const NAMES_KNOWN_COMPANY = sql<boolean>`EXISTS (SELECT 1 FROM sources WHERE sources.company = dead_letters.company)`;

/** Streams whose source is the letter's or lies below it, as a token for `/odoo` speaks for `/odoo/prod`. */
const SENT_BY = sql`FROM sources
  WHERE (sources.source = dead_letters.source OR starts_with(sources.source, dead_letters.source || '/'))`;

/**
 * Letters that concern the companies: those that name one, and those that name none that is known and whose source sends
 * for one.
 */
const concerns = (companies: readonly string[]) => sql<boolean>`(
  coalesce(dead_letters.company = ANY(${[...companies]}::text[]), false)
  OR (NOT ${NAMES_KNOWN_COMPANY} AND EXISTS (SELECT 1 ${SENT_BY} AND sources.company = ANY(${[...companies]}::text[]))))`;

const CONCERNS_NOBODY = sql<boolean>`(NOT ${NAMES_KNOWN_COMPANY} AND NOT EXISTS (SELECT 1 ${SENT_BY}))`;

/** Refused events, the newest first. One that concerns no known company is read only by whoever reads every company. */
export async function listDeadLetters(
  { db }: Postgres,
  { companies, company, states, ids, source, type, reason, since }: DeadLetterFilter,
  page: Page,
): Promise<DeadLetterRow[]> {
  const after = decodeCursor(page.after, [/^\d{1,18}$/]);
  let query = db.selectFrom('dead_letters').selectAll();
  if (companies !== '*') query = query.where(concerns(companies));
  if (company !== undefined) query = query.where(concerns([company]));
  if (states?.length) query = query.where('state', 'in', states);
  if (ids) query = query.where(sql<boolean>`id = ANY(${ids}::bigint[])`);
  if (source !== undefined) query = query.where(isOrLiesBelow('source', source));
  if (type !== undefined) query = query.where('event_type', '=', type);
  if (reason !== undefined) query = query.where('reason_code', '=', reason);
  if (since !== undefined) query = query.where('received_at', '>=', since);
  if (after) query = query.where('id', '<', after[0] as string);
  return await query.orderBy('id', 'desc').limit(page.limit).execute();
}

export const deadLetterCursor = (row: DeadLetterRow): string => encodeCursor([row.id]);

/** The refused event of this number, or undefined. */
export async function findDeadLetter(postgres: Postgres, id: string): Promise<DeadLetterRow | undefined> {
  return (await findDeadLetters(postgres, [id]))[0];
}

/** Those of the refused events that there are, by number. */
export async function findDeadLetters({ db }: Postgres, ids: readonly string[]): Promise<DeadLetterRow[]> {
  if (ids.length === 0) return [];
  return await db.selectFrom('dead_letters').selectAll().where('id', 'in', ids).orderBy('id').execute();
}

/**
 * Open dead letters received from `from` to `to`: those that concern the company, and those of which nobody can say whom
 * they concern.
 */
export async function countDeadLetters(
  { db }: Postgres,
  company: string,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<{ own: number; nobodys: number }> {
  // Letters are many and their senders few: so whom they concern is asked once for all of the same.
  const alike = db
    .selectFrom('dead_letters')
    .select(['source', 'company'])
    .select((eb) => eb.fn.countAll().as('n'))
    .where('state', '=', 'open')
    .where('received_at', '>=', from)
    .where('received_at', '<=', to)
    .groupBy(['source', 'company']);
  const { rows } = await sql<{ own: string; nobodys: string }>`
    SELECT coalesce(sum(n) FILTER (WHERE ${concerns([company])}), 0)::text AS own,
      coalesce(sum(n) FILTER (WHERE ${CONCERNS_NOBODY} AND dead_letters.company IS DISTINCT FROM ${company}), 0)::text AS nobodys
    FROM ${alike} AS dead_letters`.execute(db);
  return { own: Number(rows[0]?.own), nobodys: Number(rows[0]?.nobodys) };
}
