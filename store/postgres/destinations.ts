import { sql } from 'kysely';
import { dateOf } from '../../model/time.ts';
import type { Postgres } from './database.ts';

const SETTING = 'alerts.channels';

/**
 * Notes to which channels messages go from now on. When these are not the ones before, what is not resolved is told anew
 * there, what a message there told before catches up, and what waited for another channel and never left is taken away:
 * nobody would bring it up to date. Returns whether they are other ones.
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
              .where('m.ts', 'is not', null),
          ),
        ]),
      )
      .execute();
    return true;
  });
}
