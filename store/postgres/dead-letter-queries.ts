import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';
import type { Postgres } from './database.ts';
import { decodeCursor, encodeCursor, type Page } from './paging.ts';
import type { Database, DeadLetterTable } from './schema.ts';

export type DeadLetterRow = Selectable<DeadLetterTable>;
export type DeadLetterState = DeadLetterRow['state'];

export interface DeadLetterFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly states?: readonly DeadLetterState[] | undefined;
}

type Letters = ExpressionBuilder<Database, 'dead_letters'>;

/** A stream whose source is the letter's or lies below it, as a token for `/odoo` speaks for `/odoo/prod`. */
const sentBy = (eb: Letters) =>
  eb
    .selectFrom('sources')
    .select('sources.source')
    .where(
      sql<boolean>`(sources.source = dead_letters.source OR starts_with(sources.source, dead_letters.source || '/'))`,
    );

/** Does a stream of any source send for the company that the letter names? */
const namesKnownCompany = (eb: Letters) =>
  eb.exists(
    eb
      .selectFrom('sources')
      .select('sources.source')
      .whereRef('sources.company', '=', 'dead_letters.company'),
  );

/**
 * Letters that concern the companies: those that name one, and those that name none that is known and whose source sends
 * for one.
 */
const concerns = (eb: Letters, companies: readonly string[]) =>
  eb.or([
    sql<boolean>`dead_letters.company = ANY(${[...companies]}::text[])`,
    eb.and([
      eb.not(namesKnownCompany(eb)),
      eb.exists(sentBy(eb).where(sql<boolean>`sources.company = ANY(${[...companies]}::text[])`)),
    ]),
  ]);

const concernsNobody = (eb: Letters) =>
  eb.and([eb.not(namesKnownCompany(eb)), eb.not(eb.exists(sentBy(eb)))]);

/** Refused events, the newest first. One that concerns no known company is read only by whoever reads every company. */
export async function listDeadLetters(
  { db }: Postgres,
  { companies, company, states }: DeadLetterFilter,
  page: Page,
): Promise<DeadLetterRow[]> {
  const after = decodeCursor(page.after, [/^\d{1,18}$/]);
  let query = db.selectFrom('dead_letters').selectAll();
  if (companies !== '*') query = query.where((eb) => concerns(eb, companies));
  if (company !== undefined) query = query.where((eb) => concerns(eb, [company]));
  if (states?.length) query = query.where('state', 'in', states);
  if (after) query = query.where('id', '<', after[0] as string);
  return await query.orderBy('id', 'desc').limit(page.limit).execute();
}

export const deadLetterCursor = (row: DeadLetterRow): string => encodeCursor([row.id]);

/** The refused event of this number, or undefined. */
export async function findDeadLetter({ db }: Postgres, id: string): Promise<DeadLetterRow | undefined> {
  return await db.selectFrom('dead_letters').selectAll().where('id', '=', id).executeTakeFirst();
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
  const row = await db
    .selectFrom('dead_letters')
    .select((eb) => [
      eb.fn
        .countAll()
        .filterWhere((letter) => concerns(letter, [company]))
        .as('own'),
      eb.fn
        .countAll()
        .filterWhere((letter) =>
          letter.and([
            concernsNobody(letter),
            sql<boolean>`dead_letters.company IS DISTINCT FROM ${company}`,
          ]),
        )
        .as('nobodys'),
    ])
    .where('state', '=', 'open')
    .where('received_at', '>=', from)
    .where('received_at', '<=', to)
    .executeTakeFirstOrThrow();
  return { own: Number(row.own), nobodys: Number(row.nobodys) };
}
