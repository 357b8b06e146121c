import { ClosewatchError } from '../../model/errors.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';

export interface Discard {
  readonly ids: readonly string[];
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
}

/**
 * Settles open dead letters as not needed, all or none, and records who said so and why. Throws `not-found` when one does
 * not exist and `state.conflict` when one is settled already.
 */
export async function discardDeadLetters({ db }: Postgres, { ids, by, reason, at }: Discard): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const letters = await trx
      .selectFrom('dead_letters')
      .select(['id', 'source', 'company', 'state', 'reason_code', 'event_id'])
      .where('id', 'in', ids)
      .orderBy('id')
      .forUpdate()
      .execute();
    const missing = ids.find((id) => !letters.some((letter) => letter.id === id));
    if (missing !== undefined) throw new ClosewatchError('not-found', `there is no dead letter ${missing}`);
    const settled = letters.find(({ state }) => state !== 'open');
    if (settled)
      throw new ClosewatchError('state.conflict', `dead letter ${settled.id} is ${settled.state} already`);
    await trx
      .updateTable('dead_letters')
      .set({ state: 'discarded', decided_by: by, decided_at: at, decided_reason: reason })
      .where('id', 'in', ids)
      .execute();
    await appendChanges(
      trx,
      letters.map((letter) => ({
        entity: 'dead-letter' as const,
        entityId: letter.id,
        company: letter.company ?? '',
        change: 'discarded',
        at,
        state: 'discarded',
        actor: by,
        data: { source: letter.source, eventId: letter.event_id, refused: letter.reason_code, reason },
      })),
    );
  });
}
