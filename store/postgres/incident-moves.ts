import { type Selectable, sql, type Transaction } from 'kysely';
import { dateOf } from '../../model/time.ts';
import type { Postgres } from './database.ts';
import type { UnseenException } from './incident-exceptions.ts';
import type { Database, IncidentMoveTable } from './schema.ts';

export type IncidentMove = Selectable<IncidentMoveTable>;

/** Moves that people asked for and that wait, in their order. */
export async function movesWaiting({ db }: Pick<Postgres, 'db'>, limit: number): Promise<IncidentMove[]> {
  return await db
    .selectFrom('incident_moves')
    .selectAll()
    .where('done_at', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** The exceptions that a move is about, those that are in its incident, locked. */
export async function movedOf(trx: Transaction<Database>, move: IncidentMove): Promise<UnseenException[]> {
  let query = trx
    .selectFrom('exceptions')
    .select(['id', 'facts', 'seen'])
    .where('incident', '=', move.incident);
  if (move.exceptions) query = query.where(sql<boolean>`id = ANY(${move.exceptions}::text[])`);
  return await query.orderBy('id').forUpdate().execute();
}

/** Notes what came of a move. Returns 0: nothing changed by it. */
export async function endMove(
  trx: Transaction<Database>,
  { id }: Pick<IncidentMove, 'id'>,
  outcome: string,
  now: bigint,
): Promise<0> {
  await trx
    .updateTable('incident_moves')
    .set({ done_at: dateOf(now), outcome })
    .where('id', '=', id)
    .execute();
  return 0;
}
