import { type Selectable, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
import type { MessageTable } from './schema.ts';
import { inScope } from './scope.ts';

export type MessageRow = Selectable<MessageTable> & { readonly createdKey: string };

export const messageCursor = (row: MessageRow): string => encodeCursor([row.createdKey, row.id]);

/** Messages, the newest first. One that belongs to no incident speaks of every company: only `*` reads it. */
export async function listMessages(
  postgres: Postgres,
  filter: {
    readonly companies: CompanyScope;
    readonly states?: readonly Selectable<MessageTable>['state'][] | undefined;
    readonly incident?: string | undefined;
  },
  page: Page,
): Promise<MessageRow[]> {
  const after = decodeCursor(page.after, [/^\d{4}-\d\d-\d\d [\d:.+-]{8,32}$/, /^.+$/s]);
  let query = postgres.db
    .selectFrom('messages')
    .selectAll('messages')
    .select(sql<string>`messages.created_at::text`.as('createdKey'));
  const { companies } = filter;
  if (companies !== '*')
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('incidents')
          .select('incidents.id')
          .whereRef('incidents.id', '=', 'messages.incident')
          .where(inScope('incidents.company', companies)),
      ),
    );
  if (filter.states?.length) query = query.where('messages.state', 'in', filter.states);
  if (filter.incident !== undefined) query = query.where('messages.incident', '=', filter.incident);
  if (after)
    query = query.where(
      sql<boolean>`(messages.created_at, messages.id) < (${after[0]}::timestamptz, ${after[1]})`,
    );
  return await query
    .orderBy('messages.created_at', 'desc')
    .orderBy('messages.id', 'desc')
    .limit(page.limit)
    .execute();
}
