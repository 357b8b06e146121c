import { sql } from 'kysely';
import { dateOf } from '../../model/time.ts';
import type { Postgres } from './database.ts';

const SETTING = 'alerts.channels';

/**
 * Notes to which channels messages go from now on. When these are not the ones before, what is not resolved is told anew
 * there, what is resolved only where Slack has a message that tells something older, and what waited for another channel
 * and never left is taken away: nobody would bring it up to date. Returns whether they are other ones.
 */
export async function noteDestinations(
  postgres: Postgres,
  channels: readonly string[],
  now: bigint,
): Promise<boolean> {
  const value = JSON.stringify(channels.toSorted());
  return await postgres.db.transaction().execute(async (trx) => {
    const noted = await trx
      .insertInto('settings')
      .values({ name: SETTING, value, updated_at: dateOf(now) })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ value, updated_at: dateOf(now) })
          .where('settings.value', '<>', sql<string>`${value}::jsonb`),
      )
      .executeTakeFirst();
    if (Number(noted.numInsertedOrUpdatedRows ?? 0) === 0) return false;
    await trx
      .deleteFrom('messages')
      .using('incidents as i')
      .whereRef('i.id', '=', 'messages.incident')
      .where((eb) =>
        eb.or([eb('i.state', '<>', 'resolved'), eb('i.routed_version', '<', eb.ref('i.version'))]),
      )
      .where('messages.channel', 'not in', channels)
      .where('messages.ts', 'is', null)
      .where('messages.posting_since', 'is', null)
      .execute();
    await trx
      .updateTable('incidents')
      .set({ routed_version: 0 })
      .where((eb) =>
        eb.or([
          eb('state', '<>', 'resolved'),
          eb.exists(
            eb
              .selectFrom('messages as m')
              .select('m.id')
              .whereRef('m.incident', '=', 'incidents.id')
              .where('m.channel', 'in', channels)
              .where('m.ts', 'is not', null)
              // Told elsewhere since, and otherwise: without it the whole history would be told again.
              .where(({ exists, selectFrom }) =>
                exists(
                  selectFrom('messages as later')
                    .select('later.id')
                    .whereRef('later.incident', '=', 'm.incident')
                    .whereRef('later.kind', '=', 'm.kind')
                    .whereRef('later.updated_at', '>', 'm.updated_at')
                    .whereRef('later.content_hash', '<>', 'm.content_hash'),
                ),
              ),
          ),
        ]),
      )
      .execute();
    return true;
  });
}
