import { type Selectable, sql, type Transaction } from 'kysely';
import type { Postgres } from './database.ts';
import type { Database, ExceptionTable } from './schema.ts';

/** The condition of the index `exceptions_unseen`: an exception that notifies or has an incident, not counted as it is. */
const unseen = sql<boolean>`(notify OR incident IS NOT NULL) AND seen IS DISTINCT FROM facts`;

export type UngroupedException = Pick<
  Selectable<ExceptionTable>,
  | 'id'
  | 'rule'
  | 'kind'
  | 'company'
  | 'source'
  | 'state'
  | 'opened_at'
  | 'events'
  | 'event_sources'
  | 'trace_ids'
  | 'inhibited_by'
>;

/** A page of open exceptions that belong to no incident yet, by opening and id, after the given one. */
export async function ungroupedExceptions(
  postgres: Postgres,
  page: { after?: { opened_at: Date; id: string } | undefined; limit: number },
): Promise<UngroupedException[]> {
  const { after } = page;
  return await postgres.db
    .selectFrom('exceptions')
    .select([
      'id',
      'rule',
      'kind',
      'company',
      'source',
      'state',
      'opened_at',
      'events',
      'event_sources',
      'trace_ids',
      'inhibited_by',
    ])
    .where(unseen)
    .where('incident', 'is', null)
    .where('state', 'in', ['open', 'indeterminate'])
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(opened_at, id) > (${after?.opened_at}, ${after?.id})`),
    )
    .orderBy('opened_at')
    .orderBy('id')
    .limit(page.limit)
    .execute();
}

/** Marks exceptions that closed before any incident took them: no incident opens for them. Returns how many. */
export async function passOverClosed(postgres: Postgres): Promise<number> {
  const result = await postgres.db
    .updateTable('exceptions')
    .set({ seen: sql<string>`facts` })
    .where(unseen)
    .where('incident', 'is', null)
    .where('state', 'not in', ['open', 'indeterminate'])
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** Ids of incidents of which an exception has changed since it was counted. */
export async function incidentsWithChanges(postgres: Postgres, limit: number): Promise<string[]> {
  const rows = await postgres.db
    .selectFrom('exceptions')
    .select('incident')
    .distinct()
    .where(unseen)
    .where('incident', 'is not', null)
    .limit(limit)
    .execute();
  return rows.flatMap(({ incident }) => incident ?? []);
}

export type UnseenException = Pick<Selectable<ExceptionTable>, 'id' | 'facts' | 'seen'>;

/** The changed exceptions of an incident, locked. */
export async function changedOf(
  trx: Transaction<Database>,
  incident: string,
  limit: number,
): Promise<UnseenException[]> {
  return await trx
    .selectFrom('exceptions')
    .select(['id', 'facts', 'seen'])
    .where(unseen)
    .where('incident', '=', incident)
    .orderBy('id')
    .limit(limit)
    .forUpdate()
    .execute();
}

/** Those of the exceptions that belong to no incident yet, locked. */
export async function stillUngrouped(
  trx: Transaction<Database>,
  ids: readonly string[],
): Promise<UnseenException[]> {
  return await trx
    .selectFrom('exceptions')
    .select(['id', 'facts', 'seen'])
    .where('id', '=', sql<string>`any(${ids})`)
    .where('incident', 'is', null)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('id')
    .forUpdate()
    .execute();
}

/** Says that the incident has counted the exceptions (locked by this transaction) as they are; they belong to it now. */
export async function markCounted(
  trx: Transaction<Database>,
  ids: readonly string[],
  incident: string,
  errorSignature?: string,
): Promise<void> {
  await trx
    .updateTable('exceptions')
    .set({
      incident,
      seen: sql<string>`facts`,
      ...(errorSignature !== undefined && { error_signature: errorSignature }),
    })
    .where('id', '=', sql<string>`any(${ids})`)
    .execute();
}

/** Moves exceptions, not counted, to another incident, or to none. */
export async function moveUncounted(
  trx: Transaction<Database>,
  ids: readonly string[],
  incident: string | null,
): Promise<void> {
  await trx
    .updateTable('exceptions')
    .set({ incident, seen: null })
    .where('id', '=', sql<string>`any(${ids})`)
    .execute();
}
