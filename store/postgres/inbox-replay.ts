import { type Kysely, sql, type Transaction } from 'kysely';
import type { EventRef } from '../../model/event.ts';
import { lockBatches, takeBatch } from './batches.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';
import { lockOpenLetters, settleReplayed } from './dead-letter-decisions.ts';
import type { Database } from './schema.ts';

/** What became of the events of `sendOn`. */
export interface SentOn {
  readonly sent: readonly EventRef[];
  /** On their way already. */
  readonly pending: readonly EventRef[];
  /** Their payloads were dropped, a while after ClickHouse had them. */
  readonly gone: readonly EventRef[];
}

interface Row extends EventRef {
  readonly company: string;
  readonly isPending: boolean;
  readonly hasPayload: boolean;
}

/**
 * Takes accepted events through again: in one new batch they go to ClickHouse, which stores those that it does not have, and
 * detection looks at all of them as new. Dead ones get another chance, and the dead letters that say so are settled. All in
 * one transaction, recorded with who asked for it; `within` opens it, with whatever rights it has.
 */
export async function sendOn(
  { db }: Postgres,
  events: readonly EventRef[],
  { by, at }: { by: string; at: Date },
  within: (work: (trx: Transaction<Database>) => Promise<SentOn>) => Promise<SentOn> = (work) =>
    db.transaction().execute(work),
): Promise<SentOn> {
  if (events.length === 0) return { sent: [], pending: [], gone: [] };
  return await within(async (trx) => {
    await lockBatches(trx);
    const asked = JSON.stringify(events.map(({ source, id }) => ({ source, id })));
    const { rows } = await sql<Row>`
      SELECT inbox.source, inbox.id, inbox.company, inbox.body IS NOT NULL AS "hasPayload",
        inbox.state <> 'dead' AND (taken.state = 'pending' OR coalesce(again.state = 'pending', false)) AS "isPending"
      FROM json_to_recordset(${asked}::json) AS asked (source text, id text)
      JOIN inbox USING (source, id)
      JOIN batches AS taken ON taken.batch = inbox.batch
      LEFT JOIN batches AS again ON again.batch = inbox.replay_batch
      ORDER BY inbox.source, inbox.id`.execute(trx);
    const ready = rows.filter(({ isPending, hasPayload }) => !isPending && hasPayload);
    if (ready.length > 0) {
      const batch = await takeBatch(trx, { kind: 'replay', source: '*', rows: ready.length });
      await sql`UPDATE inbox SET replay_batch = ${`${batch}`}::bigint, state = 'pending', reason = NULL
        WHERE (source, id) IN (SELECT source, id FROM json_to_recordset(${JSON.stringify(ready)}::json)
          AS ready (source text, id text))`.execute(trx);
      const letters = await sql<{ id: string }>`
        SELECT letter.id FROM json_to_recordset(${JSON.stringify(ready)}::json) AS ready (source text, id text)
        JOIN dead_letters AS letter ON letter.state = 'open' AND letter.source = ready.source
          AND letter.event_id = ready.id AND letter.reason_code = 'poison'`.execute(trx);
      const open = await lockOpenLetters(
        trx,
        letters.rows.map(({ id }) => id),
      );
      await settleReplayed(trx, [...open.values()], { result: 'sent-on', by, at });
      await appendChanges(
        trx,
        [...Map.groupBy(ready, ({ company }) => company)].map(([company, some]) => ({
          entity: 'inbox' as const,
          entityId: `${batch}`,
          company,
          change: 'sent-on',
          at,
          actor: by,
          data: { events: some.length },
        })),
      );
    }
    const refs = (some: readonly Row[]): EventRef[] => some.map(({ source, id }) => ({ source, id }));
    return {
      sent: refs(ready),
      pending: refs(rows.filter(({ isPending }) => isPending)),
      gone: refs(rows.filter(({ isPending, hasPayload }) => !isPending && !hasPayload)),
    };
  });
}

/** The events that batches (after, upTo] took through again; those of them that ClickHouse had keep their first batch there. */
export async function sentOnIn(
  db: Kysely<Database>,
  { after, upTo }: { readonly after: bigint; readonly upTo: bigint },
): Promise<EventRef[]> {
  return await db
    .selectFrom('inbox')
    .select(['source', 'id'])
    .where('replay_batch', '>', `${after}`)
    .where('replay_batch', '<=', `${upTo}`)
    .where('state', '<>', 'dead')
    .execute();
}
